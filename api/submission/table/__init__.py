"""Table of a campaign: the cells of each row become a screened prompt, an id and options, or complaints by column.

rows         one row: prompt, id and options, or complaints by column
columns      which columns are ours, which the template's, which are nearly ours
own_columns  our own columns of a row: model, size, seed, variants and others
cells        numbers, choices and LoRAs as they are written in cells
selection    values filled down, and which rows are taken
cleaning     filters of columns: HTML, entities, case, length, replaced values
earlier      rows that were sent before: told, or kept
lint         values that nobody meant to send
"""
