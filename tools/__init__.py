"""Tools of developers; they do not ship in the wheel.

commit_message  commit messages: the rules that the commit-msg hook checks
licences        licences of everything that is installed
configuration   the settings table of the README
picture         the picture of docs/architecture.md
rehearsals/     a user's way from beginning to end, on a running stack
addresses       the table of addresses of docs/api.md, made from the OpenAPI document
"""
