"""Control of requests: whether and how far they go on, and what is taken out of them.

phases      pause, resume, the end of a request; what its deadline does    callers: api, any verb, planner
changes     priority and deadline while it runs                            caller: api
budget      images that a tenant or a key may have made                    callers: submit, any verb, api
usage       what was made, by day, request or key                         caller: api
selection   which items of a request a call means                          callers: cancel, api
"""
