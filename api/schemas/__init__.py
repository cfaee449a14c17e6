"""Schemas of the HTTP API: what is sent and what is answered, one module a resource, named as in routes/.

base        base classes of bodies, queries and replies; pages
fields      field types that several schemas share: text, ids, digests, instants
requests    requests and campaigns, as they are sent
grounds     how a product stands on a new ground
request_replies  how far requests have come
pilots      pilots of campaigns
control     what changes of a request while it runs
catalogues  the file of a catalogue
catalogue_runs  plans and runs of catalogues
catalogue_schedules  schedules of catalogues
tables      how the file of a campaign is read
budgets     budgets and usage
forecast    forecast of what a request would take
course      what a request was expected to take and took, its breaker
submission  the reply to a submission
campaign_checks  checks of large campaigns
channels    further files of an image
added_channels  further files of the images of an earlier request
results     results of a request, summary
images      images of the OpenAI API
files       files of the OpenAI API
batches     batches of the OpenAI API
streams     streams of events
inputs      pictures that are sent in for tasks
sources     buckets that inputs and feeds are read from
targets     targets of delivery, deliveries of requests
marks       marks for pictures that another tool made
items       items
assets      assets and their files
events      events of the ledger
models      model cards
keys        API keys
reviews     held images and decisions
reproductions  released images, drawn again and compared
recalls     recalls
identify    identification of pictures
soft_bindings  soft bindings of C2PA
webhooks    webhooks
webhook_messages  messages that receivers of webhooks get
privacy     erasures and legal holds
audit       questions of an auditor
proofs      proofs and evidence packs
problems    problem details
operations  probes
"""
