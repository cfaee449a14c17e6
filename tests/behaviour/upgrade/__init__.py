"""Databases of releases, as their own code filled them; the next release migrates each.

store  fills a database with this checkout's code and writes it down
"""
