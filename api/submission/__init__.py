"""Submission: how a spreadsheet or one prompt becomes rows, checked whole, stored whole or not at all.

campaign      a campaign in two passes over its spreadsheet
single        one prompt with its variants
spreadsheets  strict CSV reading, one pass, never whole in memory
rows          one row: prompt, id and recipe, or complaints by column
checked       a good row between the spreadsheet and its items
recipes       options to a recipe that the model can make
vocabulary    what a model with a list of words cannot draw
file_naming  names of the files, told apart where they would be equal
screening     the prompt's verdict, and the column to name
findings      complaints, refusals and warnings so far
store         the one caller of `jobs.submit`
"""
