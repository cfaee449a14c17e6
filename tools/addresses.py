"""Address table of docs/api.md, made from the OpenAPI document.

    python -m tools.addresses

prints it; a test compares the page with it, so that the two cannot drift apart.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from fastapi.openapi.utils import get_openapi

from api import routes

HEADER = "| Method | Address | Scope | Does | Query |\n| --- | --- | --- | --- | --- |"
_METHODS = ("get", "head", "post", "put", "patch", "delete")
_PAGED = ("limit", "cursor")


def table() -> str:
    """One Markdown row per operation, by address."""
    routers = [import_module(f"{routes.__name__}.{module.name}").router for module in iter_modules(routes.__path__)]
    document = get_openapi(title="", version="", routes=[route for router in routers for route in router.routes])
    rows = [
        _row(method, address, operations[method])
        for address, operations in sorted(document["paths"].items())
        for method in _METHODS
        if method in operations
    ]
    return "\n".join([HEADER, *rows])


def _row(method: str, address: str, operation: dict[str, Any]) -> str:
    cells = (method.upper(), f"`{address}`", _scope(operation), operation["summary"], _query(operation))
    return f"| {' | '.join(cells)} |"


def _scope(operation: dict[str, Any]) -> str:
    """The scope that a key needs; "any" for any key; empty where no key is needed."""
    needed = [scope for requirement in operation.get("security", []) for scope in requirement.values()]
    return ", ".join(name for scopes in needed for name in scopes or ["any"])


def _query(operation: dict[str, Any]) -> str:
    """Names of the query's parameters; a page's own two are one word."""
    names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    plain = [f"`{name}`" for name in names if name not in _PAGED]
    return ", ".join([*plain, *(["page"] if "cursor" in names else [])])


if __name__ == "__main__":
    print(table())
