"""Screening of prompts: confusables -> normalise (the copies that are read) -> matcher (terms) -> screen (the verdict)."""
