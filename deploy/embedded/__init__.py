"""Embedded stack: all of Presswork on one machine, from wheels, without containers or root.

supervisor   the stack and the application's processes, kept running
background   starts and stops the supervisor for `up` and `down`
stack        the three services under one data directory and one lock
postgres     the record
valkey       the transport (Redis protocol)
seaweed      the object store (S3), one identity for each role
ports        loopback ports
passwords    one secret for each role on each service
environment  what the process of each role may see
first_start  migrations, keys, the first tenant
launch       becomes a service's program and dies with the supervisor
children     one running program: its log, its end
state        what runs where, for `presswork status`
"""
