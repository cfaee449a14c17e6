"""Catalogues: a file of a team, the plans made of it, and which picture of each of its goods is live.

tables      the tables
catalogues  put, paused, gone on                                                callers: api, scheduler
plans       planning -> ready | failed -> applied                               caller: api
differences which rows of a feed differ from what is live                       caller: api
runs        begun with its request; rolled back                                 caller: api
kept        drawings of live pictures, for changes that draw nothing                 caller: api
timetable   when the runs of a schedule are due
schedules   a catalogue's file runs by itself: started, stopped                 callers: api, runs
ticks       due times: begun -> ended                                           callers: clerk, api
flips       pictures of a run that are released become the live ones            caller: clerk
sources     addresses of pictures: what was there last                          caller: api
views       what is read                                                        callers: api, clerk

A slot is one picture of a catalogue: its key and its view, with the files that its channels ask for. Nothing that is
live is overwritten: a flip writes a row of its own and points the slot at it, and a rollback is a flip back.

Who dies where: a plan is rows without effect until `ready`, and is begun again after its lease; the run, its request
and the plan's `applied` are one transaction; a flip is one transaction for all pictures that are released by then, and
the clerk's next round finds what is left.
"""
