"""Webhook rows: endpoints, and deliveries to them.

endpoints   addresses of a tenant and their secrets
deliveries  messages, written with the change they tell of
tables      the tables
"""
