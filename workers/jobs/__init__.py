"""Job rows: everything that writes one, one module a verb. Nobody else writes one, anyone may read.

submit       request and items        -> PENDING | REFUSED by its prompt      caller: api
dispatch     items PENDING            -> PLANNED, batch DISPATCHED            caller: planner
claim        batch DISPATCHED         -> RUNNING; renew, give back            caller: executor
settle       batch RUNNING            -> FINISHED, items settled              caller: executor
expire       batch RUNNING, overdue   -> DISPATCHED, split or ABANDONED       caller: reconciler
control/     requests paused, resumed, changed, over                          callers: api, any verb, planner
fleet/       workers, what they refuse, devices; who is at fault              callers: executor, planner
models/      decisions about models                                           callers: api, commands
rulesets/    approvals of rule sets                                           callers: api, worker, commands
cancel       items PENDING | PLANNED  -> CANCELLED                            caller: api
review/      items HELD               -> RELEASED | REFUSED                   callers: api, clerk
recall/      assets RELEASED          -> RECALLED                             callers: api, clerk
privacy/     private text             -> erased; legal holds, retention       callers: api, clerk
drawings/    pixels without marks, kept for later files                    callers: any verb
inputs/          pictures that tenants send in                                callers: api, identify
identification/  questions and fingerprints                                   callers: api, identify
uploads/     files of clients of the OpenAI API, and batch jobs               callers: api, clerk
delivery/    targets of tenants, files on their way to them                   callers: api, any verb, clerk
catalogue/   catalogues: plans, runs, what is live                              callers: api, clerk
webhooks/    endpoints and deliveries                                         callers: api, any verb, clerk
outcomes     the rows and the event of an outcome                             callers: settle, review
keys         tenants and API keys                                             caller: api
console/     who is signed in at the console                                  caller: api
idempotency  stored replies                                                   caller: api
views        what is read: requests, items                                    callers: api, commands
asset_views  what is read: assets                                             callers: api, commands
results      what became of a request, row after row                   callers: api, clerk
earlier      what is read: rows that were sent before                      callers: api
tables       the tables
types        what passes between these functions

Every function runs in the caller's transaction, appends its event there, and never commits. A step that finds its row
in another state changes nothing and says so: two workers, a repeated message and a late one are all the same case.
"""
