"""Uploads of pictures, read after authentication and within limits of bytes and time.

inputs  a picture for tasks, or the address that it is fetched from
"""
