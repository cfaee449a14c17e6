"""Channels: further files of a picture for the places where it is shown.

channel       what a channel is; presets.yaml and labels.yaml are its data
fit           a picture in the size of a channel
label         the visible label
"""
