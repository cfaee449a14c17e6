"""Deployment: the `presswork` command, and ways to run the system.

cli          the command, each group loaded when it is called
commands/    the groups of commands
client       the HTTP API as the commands use it
embedded/    everything on one machine, from wheels
demo/        the sample campaign and its contact sheet
drill/       tampering cases that verification must name
grafana/, prometheus/  dashboard and alerts
errors       errors of the deployments
"""
