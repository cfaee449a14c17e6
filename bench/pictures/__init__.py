"""Pictures for benchmarks and tests, drawn by formula, and what happens to them in the world.

scenes, artworks    pictures in many kinds; the same numbers give the same picture
attacks             what copies suffer: resizing, crops, JPEG, screenshots
copies/             copies as the world makes them, for bench.copies
drawings            what the built-in model draws
siblings            pictures that resemble a released one and were never released
transplants         pictures onto which a code of ours was moved
library             the marks and blind reads of invisible-watermark, beside ours
gallery             all of it released with marks, for bench.identify
"""
