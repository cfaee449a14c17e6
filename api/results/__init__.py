"""Results of a request as files: what the caller sent, and behind it what became of each row.

lines      one line a file of an image, or an image without files: names and values of its columns
documents  the lines as CSV, JSON lines and Parquet
archive    a ZIP with the lines and the files themselves
usage_csv  usage as a CSV file, for a cost centre
growing    a file that is sent while it is written
remedies   what to do about an image that was not released, by its state and code
"""
