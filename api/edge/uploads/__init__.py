"""Uploads, read after authentication and within limits of bytes and time.

catalogues  a catalogue with its feed
inputs  a picture for tasks, or the address that it is fetched from
"""
