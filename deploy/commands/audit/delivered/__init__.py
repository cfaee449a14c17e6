"""Delivered files: what a buyer checks of one, offline.

lock   that a file shows the product of its source picture
"""
