"""Parts that several commands share.

options      --data, --url, --key-file, --tenant, --json
scope        what narrows an auditor's question: time, tenant, campaign, maker, rules
instants     the parameter type of --from, --to and --since
settings     the settings of the installation that a command works on
stack        the running embedded stack
ledger       a connection to the ledger, public keys, witness policy
tables       rows and objects as text, safe for a terminal
secrets      secrets from a file or a variable
files        paths as text, and files that are written whole
exit_status  the exit codes at the end of a command's help
"""
