"""Live events: what happens to a tenant's requests, told as it is sealed, with no thread for each listener.

feed     the newest events in memory, for all listeners of the process; older ones from Postgres
stream   server-sent events of one listener, from a number on
"""
