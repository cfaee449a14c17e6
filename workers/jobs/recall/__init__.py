"""Recall rows: which assets an order covers, and how far it has come.

orders    the order, and the clerk's steps
criteria  which assets an order means
views     orders with their progress
tables    the tables
"""
