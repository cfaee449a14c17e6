"""Channels: further files of a picture for the places where it is shown.

channel       what a channel is; presets.yaml and labels.yaml are its data
fit           a picture in the size of a channel
frame         the geometry of that, which a buyer can repeat
label         the visible label
rendered      what one file shows, and every way to write it
"""
