"""Submission: how a spreadsheet or one prompt becomes rows, checked whole, stored whole or not at all.

campaign    a campaign in two passes over its spreadsheet
large/      a campaign that is checked as a whole: at once, or in the background where its file is large
single      one prompt with its variants
table/      the cells of each row, and what they mean
checked     a good row between the spreadsheet and its items
pictures/   inputs that a request names, and the task that they ask for
recipes     options to a recipe that the model can make
tenant_models  models that a tenant may use, and why it may not use another
file_naming  names of the files, told apart where they would be equal
tokens      how much of a prompt a model reads
vocabulary  what a model with a list of words cannot draw
screening   the prompt's verdict, and the column to name
pilot       which images a pilot makes first
preview/    what a check tells before anything is stored: the forecast
findings    complaints, refusals and warnings so far
notices     warnings about rows, one entry a cause
refused_warnings  warnings that refuse a request here
words       warnings about words that a model does not draw
store       a checked request as rows
again/      other files of what an earlier request released
"""
