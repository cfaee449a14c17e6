"""Goods of the demo catalogue: a feed of 40, its file, and their photos, which are drawn here.

photos  photos of the goods, with the exact shape of each as transparency
"""
