"""Everything that writes a job row, one module a verb; nobody else writes one, anyone may read.

    submit.py    request + items            -> PENDING | REFUSED (prompt)      caller: api
    dispatch.py  items PENDING              -> PLANNED, batch DISPATCHED       caller: planner
    claim.py     batch DISPATCHED           -> RUNNING; renew, give back       caller: executor
    settle.py    batch RUNNING              -> FINISHED, items settled         caller: executor
    expire.py    batch RUNNING, lease over  -> DISPATCHED, split or ABANDONED  caller: reconciler
    cancel.py    items PENDING | PLANNED    -> CANCELLED                       caller: api
    review.py    items HELD                 -> REFUSED; a release is ordered   caller: api
    reviewed.py  items HELD                 -> RELEASED, by a final review     caller: clerk
    outcomes.py  the rows and the event of an outcome, for settle and reviewed
    recall.py    assets RELEASED            -> RECALLED; criteria.py: which   caller: api, clerk
    erasures.py  orders to erase: erasable.py: which; erase.py, removals.py: how    caller: api, clerk
    legal_holds.py  what must not be erased      retention.py  what is over    caller: api, clerk
    webhooks.py  who is told                deliveries.py  messages and leases caller: api, any verb, clerk
    keys.py      tenants and API keys       idempotency.py  replayed replies   caller: api
    views.py     what is read               tables.py, types.py  the words

Every function runs in the caller's transaction, appends its event there, and never commits. A step
that finds its row in another state changes nothing and says so: two workers, a repeated message and a
late one are all the same case.
"""
