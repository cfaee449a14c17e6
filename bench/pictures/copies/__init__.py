"""Copies as the world makes them, for bench.copies: every function takes a picture and a random generator.

colours   other colours everywhere: filters, inks, profiles, inversion
layouts   other things beside, around and on the picture: collages, stickers, frames, grounds
losses    worse pixels: lossy formats, screens, crops, thumbnails
listed    all of them by name, and in which group
"""
