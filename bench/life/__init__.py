"""Life of one campaign on a whole installation: price, pilot, pause, breaker, retry, a second send, the final cost.

sheet      the rows: a country that is cancelled, a supplier whose pictures turn bad, rows that fail once
steps      what a person does, call by call, and what must be true after each
worker     gpu worker without a device: it draws at once, turns bad on demand, and fails on demand
watcher    a listener of the events, which is killed and comes back
"""
