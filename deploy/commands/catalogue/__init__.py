"""`presswork catalogue`: pictures of a catalogue, kept in order from a file.

group    the commands below
check    explain every error of a catalogue file
schema   print the JSON schema of catalogue files
file     catalogue.yaml, read with the line of everything in it
"""
