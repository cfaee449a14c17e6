"""Identification rows: questions asked, and fingerprints of released pictures.

questions     one row is one question, from asking to its end
fingerprints  how released pictures look
tables        the tables
"""
