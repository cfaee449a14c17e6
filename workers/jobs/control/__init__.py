"""Control of requests: whether and how far they go on, and what is taken out of them.

phases      pause, resume, the end of a request; what its deadline does    callers: api, any verb, planner
changes     priority and deadline while it runs                            caller: api
selection   which items of a request a call means                          callers: cancel, api
"""
