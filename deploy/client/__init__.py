"""Python client of the HTTP API, with the verbs of the command line. The commands use it, and so can any program.

api        the client: one key, one address; submit, watch, list, show, cancel, results
address    which installation and which key: options, environment, keyring, embedded stack
problems   a problem document as text
fetch      files of a request into a folder, a ZIP or a bucket, while it runs
targets    where fetched files go

    from deploy.client import Client
    with Client("https://presswork.example.com", key) as client:
        sent = client.submit_campaign(Path("spring.csv"), {"template": "a {colour} {object}"})
"""

from deploy.client.api import Client
from deploy.client.problems import problem_text

__all__ = ["Client", "problem_text"]
