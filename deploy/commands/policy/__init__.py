"""`presswork policy`: inspects and tests rule sets.

group        the command group
check        check
check_image  check-image
hash         hash
show         show
simulate     simulate
report       report
options      --rules, and loading the rule set
"""
