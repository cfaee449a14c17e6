"""Intake of inputs: what is done with a picture that a tenant sent in before a task may use it.

accept    one input: its bytes, decoded, screened and stored, or the reason why not
sanitise  the picture that tasks get: upright, without metadata, nothing hidden behind transparency
"""
