"""Commands of `presswork`, one module a group.

stack      up, down, status, env, migrate
demo       demo
submit     submit, watch
key        key create, list, revoke
review     review list, show, release, refuse
recall     recall
privacy    erase, legal holds, retention
identify   identify
marks      marks read
models     models list, show, check, hash
policy/    policy check, show, report, simulate
audit/     audit verify, events, questions, packs, drill
ledger     ledger rotate-key
witness    witness
shared/    what several groups use
"""
