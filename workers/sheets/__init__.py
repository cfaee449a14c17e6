"""Spreadsheets: reads the tables that people have, row by row, and says how each file was read.

It imports neither FastAPI nor a model library: the API, workers that check large files and readers of feeds share it.

sheet        opens a file, finds its format and header, and yields its rows
sources      unpacks a ZIP or gzip of one table, and recognises a format by its first bytes
encodings    UTF-8, UTF-16 with and without a mark, Windows-1252 and other 8-bit encodings
delimited    CSV and TSV: delimiter, `sep=` line, quotes
objects      JSON lines, plain and of an OpenAI batch
feeds        Google Merchant feeds: RSS and Atom
isolated     Excel workbooks and Parquet files, through a limited child process
child        the program of that process
headers      the line that names the columns, below a title
shapes       layouts of shops' exports, as data
names        column names as they are compared
errors       what makes a file unreadable
"""
