"""Screening of prompts: normalise makes the copies to read, matcher finds terms in them, screen gives the verdict."""
