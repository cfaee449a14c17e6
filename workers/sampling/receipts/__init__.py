"""Receipts of pictures: what it takes to draw one again, and drawing it again.

environment   dtype, attention, scheduler, libraries, driver; the digest of the pixels
reproduction  a released picture drawn again, and how near it comes
"""
