"""Ways to run it.

cli, commands/   the `presswork` command; client: the HTTP API as it calls it
embedded/        the whole of it on one machine, from wheels
demo/            the sample campaign and its contact sheet
configuration    the settings table of the README; licences: what the dependencies are licensed under
grafana/, prometheus/   dashboards and alerts
"""
