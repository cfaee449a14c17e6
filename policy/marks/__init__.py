"""What every released picture carries, and how to read it again.

marker        the one call: mark a screened picture, read all marks back from the final bytes
watermark     the invisible mark in the pixels; payload is its error-correcting code, nearest the informed read
writers       who writes it: numpy a picture, or watermark_torch a batch on a device
renditions    the files that can be asked for; encode packs them, xmp is the plain label in them
likeness      the last look: does the file show what was screened
provenance    the C2PA manifest, signed last; signing and certificates hold keys and chains
inspect       the marks of any file from anywhere; reference is the library's own decoder, for a second opinion
stamp         the public facts about one asset that go into the marks
"""
