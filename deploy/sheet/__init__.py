"""Contact sheet of any request: rows with their files, states and reasons, for the screen or for a meeting.

documents writes the file that is asked for
tiles     what is shown: one tile a file, or an image without files
page      HTML pages, self-contained
drawing   the same as pictures: PNG, or the pages of a PDF
"""
