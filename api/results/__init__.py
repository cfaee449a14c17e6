"""Results of a request as files: what the caller sent, and behind it what became of each row.

documents  the lines as CSV, JSON lines and Parquet
archive    a ZIP with the lines and the files themselves
usage_csv  usage as a CSV file, for a cost centre
growing    a file that is sent while it is written
thumbnails  small pictures of released images
"""
