"""The whole of Presswork on one machine, from wheels: no container, no root, no service to install.

ports        which loopback ports the parts get
launch       becomes a part's program: dies with the supervisor, leaves root where it must
children     one running program: its log, its end, its last words
passwords    one secret for each role on each part, made on first start
postgres     the record
valkey       the transport (Redis protocol)
seaweed      the object store (S3)
stack        the three parts together, under one data directory and one lock
state        what runs where, for `presswork status` and for the next start
environment  what each role's process may see
first_start  migrations, signing keys, the first tenant
supervisor   the stack and the application's processes, kept running
"""
