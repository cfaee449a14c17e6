"""Catalogues: how a feed becomes a plan, and a plan a request.

feed       rows of a feed as a catalogue reads them
fetching   the feed of a plan, from the store or its address
parts      what a picture is made of, as digests, and the first part that differs
pictures   source pictures of rows: fetched, hashed, stored once
rows       rows to make, checked as those of a campaign are
planning   a plan: every row compared with what is live
safeguards  where a plan stops and asks a person
applying   a plan carried out as a request
scheduled  runs that begin by themselves
manifest   what is live, as lines with file names
deliverables  files of the last run: the feed with its pictures, its errors, the run

Made in the background of one API process under a lease, as checks of batches are (workers/jobs/catalogue/plans.py).
"""
