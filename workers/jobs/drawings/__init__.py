"""Drawings that are kept: the pixels of released and held pictures without marks, private to the workers.

drawings  written at the settlement, found at submit, read at the claim, given up     callers: any verb
tables    the table

A request that asks for other files of a picture that is there takes its drawing: no device draws it again. A drawing
goes with the text of its item, with a refusal in review, and when it was not used for its retention period.
"""
