"""Embedded stack: all of Presswork on one machine, from wheels, without containers, root or system services.

ports        the loopback ports of the components
launch       becomes a component's program: dies with the supervisor, leaves root if it must
forks        the application's processes, forked from one that has imported for all
children     one child process: its log, its end
passwords    one secret per role and service, made on first start
postgres     Postgres
valkey       Valkey (the Redis protocol)
seaweed      SeaweedFS (S3)
stack        the three services under one data directory and one lock
state        which components run where, for `presswork status` and for the next start
environment  the environment of each role's process
first_start  migrations, signing keys, the first tenant
supervisor   the services and the application's processes, kept running
background   the supervisor in the background: what `presswork up` and `down` do
"""
