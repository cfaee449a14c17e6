"""Batches of the OpenAI API: a file of lines becomes a request with rows, and the answers become files of lines again.

lines     a line of the file as a row, or what is wrong with it
checking  every line of a file, then the request, or the errors
answers   a line of an output file, of the images of a row
outputs   the output files, made when they are read
status    a batch as it is answered
looks     what a look at a batch sets going
"""
