"""Normalised variants of a prompt: obfuscations undone, so that terms match.

variants     all variants of a text, in order
confusables  look-alike characters -> plain Latin
leet         leetspeak, repeated and starred-out letters
splits       words taken apart or run together
encodings    text in base64, hex, escapes, turned upside down, in ROT13 or backwards
emoji        emoji as words
"""
