"""Delivery of released files to buckets of tenants: where they go, what is there, and why it stands still.

tables      targets, their secrets, deliveries of requests, files that were delivered
targets     targets are registered, checked, removed                   callers: api, clerk
deliveries  a request's delivery begins, is taken, stands still         callers: submit, clerk
catalogue_deliveries  what is live of a catalogue, again after each change   callers: api, flips, clerk
views       what is read of both                                        callers: api
"""
