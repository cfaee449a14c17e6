"""Identification rows: questions asked, and the fingerprints of released pictures."""
