"""Options of a campaign on the command line.

spec     the file of rows, and the options that say what to make of them
table    how the file of rows is read
waiting  progress while a large file is checked
"""
