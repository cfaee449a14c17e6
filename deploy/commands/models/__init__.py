"""`presswork models`: adds models, decides who may use them, shows and checks them.

group    the command group
add      add
approve  approve
retire   retire
audit    audit
list     list
show     show
check    check
hash     hash
decide   what approve and retire share
options  --models-dir, and the registry there
"""
