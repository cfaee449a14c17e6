"""Fleet of gpu workers: who lives, what each cannot make, and who is at fault when a batch does not end.

members  workers, the recipes they refuse, devices
measured  what batches took, live device classes, what waits, the last hour
tables   the tables
faults   who is at fault for an error, and for a death that nobody explained
"""
