"""Addresses of the HTTP API, one module a resource: what it takes, what it answers, which function does the work.

requests     one prompt, status, items, cancel
campaigns    submit a spreadsheet
courses      what a request was expected to take and took, its breaker
campaign_checks  large campaigns that are checked in the background
pilots       the sample of a campaign, and the decision about it
streams      events of requests as they happen
results      results of a request, as files
images       images of a prompt, as the OpenAI API answers them
files        files that clients of the OpenAI API upload, output files
batches      a file of lines as one request, as the OpenAI API has it
catalogues   catalogues, their runs, what is live
catalogue_plans  plans of catalogues, and applies
catalogue_schedules  catalogues that run by themselves
inputs       pictures that are sent in for tasks
sources      buckets of tenants that inputs and feeds are read from
targets      targets of delivery, deliveries of requests
marks        marks for pictures that another tool made
budgets      how many images may be made, and how many were
items        one item, cancel
assets       released images, links, their events
reproductions  released images, drawn again and compared
reviews      held images and decisions about them
recalls      take released images back
revocations  the signed list of recalled files
identify     whether a picture was made here
detect       the same without a key
soft_bindings  the manifest of a picture, by its watermark
channels     presets of channels; channels that are added to an earlier request
models       model cards
keys         API keys of the tenant
webhooks     who is notified
erasures     erase private text
legal_holds  what must not be erased
audit        the auditor's questions
events       the tenant's part of the ledger, streamed
proofs       heads, proofs, evidence packs
operations   probes and metrics
"""
