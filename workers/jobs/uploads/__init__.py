"""Files that clients of the OpenAI API upload, and batch jobs: a request whose rows are the lines of such a file.

tables      the two tables
files       stored, read, deleted, expired
batch_jobs  made, checked under a lease, started, failed, cancelled, finalized
views       what is read: files, batch jobs, counts of lines
"""
