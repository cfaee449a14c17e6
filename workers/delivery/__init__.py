"""Delivery: files as they leave the installation.

file_names  safe names from templates and data
outcome     columns that say what became of an image
remedies    what to do about an image that was not released, by its state and code
lines       one line a file of an image, or an image without files: names and values of its columns
catalogue_lines  one line a file of what is live of a catalogue
feed_rows   rows of a feed as an apply read them, kept beside the feed
catalogue_files  files of a catalogue's run: the feed with its pictures, the rows that have none
manifests   the lines of what was delivered, as manifest.csv and manifest.jsonl
bucket      a bucket of a tenant's own: checked writes, through connections to checked addresses only
"""
