"""Planner process: what is sampled next, and what is sent again.

loop        reconciles and plans, at once or every few seconds
turns       which pending items are sampled together, and for whom; pure
affinity    how long a loaded model goes first; pure
planner     carries the plan out: batches, then messages
reconciler  sends overdue batches again
backlog     gauges of what waits
"""
