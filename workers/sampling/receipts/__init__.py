"""Receipts of pictures: what it takes to draw one again, and drawing it again.

environment   dtype, attention, scheduler, libraries, driver; the digest of the pixels
comparison    whether two receipts are of the same pixels, and what differs first
reproduction  a released picture drawn again, and how near it comes
"""
