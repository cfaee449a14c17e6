"""Given pictures: from the inputs of an item to what its pipeline gets, and back.

pictures  what the pipelines of a task get
paste     what was drawn, put into the picture that was given
"""
