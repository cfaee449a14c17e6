"""Pictures for benchmarks and tests, drawn by formula, and what happens to them in the world.

scenes, artworks    pictures in many kinds; the same numbers give the same picture
attacks             what copies suffer: resizing, crops, JPEG, screenshots
library             the marks and blind reads of invisible-watermark, beside ours
gallery             all of it released with marks, for bench.identify
"""
