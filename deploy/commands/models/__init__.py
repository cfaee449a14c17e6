"""`presswork models`: adds models, shows and checks them.

group    the command group
add      add
show     list, show, hash, check
options  --models-dir, and the registry there
"""
