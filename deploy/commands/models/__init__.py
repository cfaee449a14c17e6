"""`presswork models`: adds models, shows and checks them.

group    the command group
add      add
list     list
show     show
check    check
hash     hash
options  --models-dir, and the registry there
"""
