"""The `presswork` command, one module a group of commands.

stack      up, down, status, env, migrate
campaigns  submit, watch
demo       demo
keys       key create, list, revoke
audit      audit verify, events, ...
policy     policy check, show
marks      marks read
models     models list, show, check, hash
"""
