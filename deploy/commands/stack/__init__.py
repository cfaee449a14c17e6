"""`presswork up`, `down`, `status`, `env`: the embedded stack.

up      start everything
down    stop everything
status  show what is running
env     print a role's settings
"""
