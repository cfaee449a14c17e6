"""Files that are checked behind the answer: of batch jobs, as clients of the OpenAI API send them, and of campaigns.

tables           the three tables
files            stored, read, deleted, expired
batch_jobs       made, checked under a lease, started, failed, cancelled, finalized
campaign_checks  begun, checked under a lease, accepted, failed, cancelled
views            what is read: files, batch jobs, counts of lines
"""
