"""Control of requests: whether and how far they go on, and what is taken out of them.

phases      pause, resume, the end of a request; what its deadline does    callers: api, any verb, planner
changes     priority and deadline while it runs                            caller: api
pilots      the sample of a campaign that is made first                   callers: submit, any verb
acceptance  what a person decides about that sample                       caller: api
tables      rows of pilots
breaker     pauses a campaign when too many of its rows are bad            callers: any verb, planner
cusum       when too many are bad; pure                                    caller: breaker
binomial    what a sample proves; pure                                    callers: acceptance, api
budget      images that a tenant or a key may have made                    callers: submit, any verb, api
spending    the budget of one request; what is told when a budget runs low  callers: submit, api, planner
daily       images that an agent's key may send in a day                  callers: api
usage       what was made, by day, request or key                         caller: api
reuse       pictures that are there already are not drawn again       callers: submit, recall orders, api
retry       failed items made again, as a round                            caller: api
selection   which items of a request a call means                          callers: cancel, api
"""
