"""Product lock in marks: what a mark and a file may change of a locked product, and what the file says of it.

product_lock   the product of one picture, measured in each of its files
measures       differences inside a product, and their bounds
record         what a manifest says of a lock, and how it is read back
"""
