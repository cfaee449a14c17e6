"""Identify process: answers whether a picture was made here, and indexes what is released.

loop      answers questions, one after the other
indexing  fingerprints of released pictures
released  the index in memory, records and originals
"""
