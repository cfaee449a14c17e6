"""Thumbnails of released images: what a list shows before anybody opens a file.

picture     256 pixels, WebP, made of the bytes of a file
thumb_hash  about 25 bytes that show its colours before the thumbnail is there
"""
