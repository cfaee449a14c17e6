"""Webhook rows: endpoints, and deliveries to them.

endpoints   addresses of a tenant and their secrets
deliveries  messages, written with the change they tell of
requested   messages that a tenant asks for: a test, a delivery again
views       what a tenant reads of both
tables      the tables
"""
