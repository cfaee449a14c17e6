"""Console: who is signed in there.

sessions  open, find and end a session; take a link that works once
tables    the table
"""
