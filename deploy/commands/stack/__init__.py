"""`presswork up`, `down`, `status`, `env`, `console`: the embedded stack.

up      start everything
down    stop everything
status  show what is running
env     print a role's settings
console  print a link that opens the console
"""
