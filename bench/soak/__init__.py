"""Soak: a whole installation under shuffled faults, until the time is over; then everything is counted.

installation   the processes and the services, and what restarts them
worker         gpu workers without a device: good ones, and four kinds of bad ones
customers      three tenants who submit, cancel, review, recall and accept pilots over HTTP
faults         every kind of fault, each with its end
accounts       what must be true afterwards
"""
