"""Rehearsals: a user's way from beginning to end on a running stack; each prints what it saw.

catalogue  a feed of 40 goods planned, piloted, applied, delivered; then a scheduled run, and the way back
pictures   twelve photos in a ZIP with a spreadsheet, each with a task of its own; one source is recalled
stage      the stack that a rehearsal runs on, a bucket beside it, and what a step says
"""
