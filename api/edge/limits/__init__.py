"""Limits of callers: how often, how many at once, how long they may wait, and who they are without a key.

rate_limit      requests a minute, fair shares of anonymous callers, RateLimit fields
counters        request counters in Redis, in memory while it is away
anonymous       callers without a key: the public detector
client_address  who calls, behind the proxies that a setting names
places          how much of what takes long a tenant may have at once
turns           requests of a caller that run at once, and those that wait for a thread
waiting         replies that are held back until a row changes
addresses       addresses that tenants register: public, and looked up in a tenant's own places
agents          what an agent's key may do, and the bounds of what it sends
money           the currency of a budget
held            streams that keep their place until they end
background      work that outlasts the call that asked for it, one piece at a time
"""
