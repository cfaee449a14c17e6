"""Surface of the OpenAI API, so that its clients work unchanged; the addresses lie in api/routes.

spoken      problems in the statuses that those clients expect
asked       an image request in our own terms, or what of it cannot be had
drawn_size  the size that is drawn, and that of the file
waited      from its submission to its answer
edits       an edit as the client sends it
pictures    pictures of an edit as inputs of the tenant
drawn       the answer to an image request, once its images are made
batches/    a file of lines as a request, and its answers as files
"""
