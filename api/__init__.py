"""The HTTP face: strict at the door, light inside, and no model library ever loaded.

app            the application, and the one table from errors to problems
parts          what every route works with; probes: whether the parts answer
auth           who calls, and what the key may do
bodies         bodies within limits of bytes and time, JSON read strictly
schemas        what is sent; replies, reports: what is answered
problems       every answer that is no success; complaints: pydantic's findings in our words
idempotency    a repeated POST is answered with the first answer
paging         opaque cursors
templates      `{column}` and nothing else
spreadsheets   somebody's CSV file; rows: one row of it; campaigns: all of them, in two passes
singles        one prompt
recipes        from the options of a request to what the model can make
screening      the verdict on a prompt, and which column to blame; findings: all that was found
submission     from a checked request to stored rows
observation    ids, log lines and measurements around every request
openapi        the document; docs_page: the page that shows it
routes/        one module a resource
"""
