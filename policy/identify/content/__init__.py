"""Content of a registered copy, held against its original: how alike they are, and where they differ.

agreement    the map of where a copy shows what its original shows
compare      how alike two registered pictures are
degradation  the losses of a copy, applied to the original
recolour     the colour map between a copy and its original
tone         the tone curve between them
"""
