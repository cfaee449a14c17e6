"""`presswork catalogue`: pictures of a catalogue, kept in order from a file.

group    the commands below
check    explain every error of a catalogue file
schema   print the JSON schema of catalogue files
plan     what an apply would do
apply    make exactly what a plan shows
list     the catalogues
history  their runs
rollback  return to what was live after an earlier run
retire   goods that are listed no longer
manifest  what is live
files    files of the last run: manifest, feed with pictures, errors
schedule  it runs by itself from now on, or no longer
ticks    what became of the runs that began by themselves
pictures  files beside a feed, sent as inputs
file     catalogue.yaml, read with the line of everything in it
"""
