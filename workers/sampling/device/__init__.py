"""Device: what a worker knows of its own, and how it uses it.

devices      which one a setting means, and its names
energy       joules that it reports
faults       memory that ran out, and a context that is lost
fitting      how many images fit into its memory at once
speed        ways to draw faster, each with a switch
compilation  blocks of denoisers compiled and warmed up
"""
