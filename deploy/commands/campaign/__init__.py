"""`presswork campaign`: from a spreadsheet to named files, with any installation.

group    the commands below
asked/   options that say what to make, and the file of rows
check    check a campaign, store nothing
submit   submit a campaign
watch    progress until everything is settled
list     requests, newest first
show     one request, with its summary
items    results of a request, as a table or a file
cancel   cancel what is open
change   priority, deadline and budget
retry    make failed images again
channels  other files of what was released
fetch    files into a folder, a ZIP or a bucket
sheet    a contact sheet
pilot    the sample of a campaign; accept and reject it
summary  replies and summaries as text
"""
