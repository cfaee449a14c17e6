"""Planner process: what is sampled next, and what is sent again.

loop        reconciles and plans, at once or every few seconds
planner     which pending items are sampled together, and for whom
reconciler  sends overdue batches again
wakeup      waits for a NOTIFY of new items
backlog     gauges of what waits
"""
