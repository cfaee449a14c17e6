"""Shared parts of several commands.

options   options
opening   opening the ledger: settings, public keys, connection
instants  moments as people type them
shown     rows and outlines on a terminal
"""
