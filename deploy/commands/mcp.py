"""`presswork mcp`: an MCP server for agents, over stdio or HTTP on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.client.address import address_of
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options
from deploy.extras import require

_LOOPBACK = "127.0.0.1"


@click.command(epilog=exit_status("the agent hung up", "no API is named, or the port is in use"))
@click.option(
    "--http",
    "port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    help="Serve streamable HTTP at http://127.0.0.1:PORT/mcp instead of stdio.",
)
@api_options
def mcp(data: Path, port: int | None) -> None:
    """Serve tools for agents (Model Context Protocol).

    Use a key of the scope agent: the API then bounds what an agent sends in a day. Over HTTP, every program on this
    machine that reaches the port acts with the key.
    """
    require("mcp")
    from deploy.agents.server import make_server  # noqa: PLC0415 - the extra may be missing

    address = address_of(data, None)
    with Client(address.url, address.key) as client:
        server = make_server(client, address.url.rstrip("/"))
        if port is None:
            server.run("stdio")
        else:
            server.run("streamable-http", host=_LOOPBACK, port=port)
