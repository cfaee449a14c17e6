"""Content of a registered copy, held against its original: how alike they are, and where they differ.

agreement    the map of where a copy shows what its original shows
compare      how alike two registered pictures are
degradation  the losses of a copy, applied to the original
near         whether a copy is as near to its original as a copy is
places       the places of a frame
recolour     the colour map between a copy and its original
tone         the tone curve between them
"""
