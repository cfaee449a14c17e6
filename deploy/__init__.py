"""Deployments: ways to run Presswork, and the `presswork` command.

cli, commands/          the `presswork` command
client/                 the HTTP API as the commands call it
agents/                 tools for agents, over the Model Context Protocol
embedded/               the embedded stack: all of it on one machine, from wheels
sheet/                  contact sheets of requests
demo/                   the sample campaign and its contact sheet
drill/                  the tampering drill
doctor/                 examination of an installation
backup/                 backups of the database, and their return
provisioning/           logins, identities and buckets on managed services
reconciliation          jobs, assets and objects held against the ledger
extras                  what to install when an extra is missing
errors                  errors of the deployments
images/                 the images of containers
chart/, compose/        Kubernetes and Compose
grafana/, prometheus/   dashboard, alerts and scrape configuration
"""
