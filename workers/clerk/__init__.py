"""Clerk process: carries out what people ordered, and delivers webhooks. One module a duty.

loop       the loop over the duties
context    what every duty is given
releases   reviewed images leave quarantine
recalls    recalled images move out of reach
erasures   private text is erased on order
retention  texts and objects whose period is over
inputs     inputs whose period is over, and the objects of erased ones
catalogues  released pictures of a catalogue become live; old feeds go
schedules  what is due of catalogues begins
removals   the store deletes what was given up
files      uploaded files are deleted when they expire or are to go
deliveries  released files to buckets of tenants: checked writes, manifests, withdrawal
catalogue_deliveries  what is live of catalogues to the same buckets: new objects, then the manifest
webhooks   messages are sent and repeated
"""
