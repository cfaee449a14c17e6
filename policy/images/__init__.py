"""Screening of pictures: classifier (the Protocol), nsfw and blank (two of them), guard (time limit, checks), screen.

`weights/` holds the networks with their cards; `convert_nsfw` and `conversion/` made them. Heavy: for worker processes.
"""
