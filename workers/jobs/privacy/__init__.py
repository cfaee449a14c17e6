"""Privacy rows: orders to erase, legal holds, retention.

orders       orders to erase, and their steps
select       which items, requests, events and replies an order means
erase        blanks the copies of a text and erases it in the ledger
legal_holds  what must not be erased
retention    what is kept for how long
drawings     kept drawings
objects      objects given up for deletion
inputs       pictures that tenants sent in
tables       the tables
"""
