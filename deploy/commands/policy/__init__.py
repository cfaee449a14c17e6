"""`presswork policy`: inspects, tests and approves rule sets.

group        the command group
approve      approve
check        check
check_image  check-image
hash         hash
show         show
simulate     simulate
report       report
options      --rules, and loading the rule set
"""
