"""Prompts whose words are weighed: `prompt_syntax: weights` of a request, for families that are read by CLIP.

emphasis  what the weights of words change in a run
"""
