"""The configuration table of the README, made from the settings themselves.

    python -m tools.configuration

prints it; a test compares the README with it, so that the two cannot drift apart.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from workers.settings import Settings

HEADER = "| Variable | Default | Meaning |\n| --- | --- | --- |"
_HOUSE = Path(__file__).resolve().parent.parent


def table() -> str:
    """One Markdown row per setting, in the order in which the settings declare them."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        f"| `{prefix}{name.upper()}` | {_default(field)} | {field.description}{_limits(field)} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([HEADER, *rows])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default()
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path) and value.is_relative_to(_HOUSE):
        value = value.relative_to(_HOUSE)
    return "none" if value in (None, "") else f"`{value}`"


def _limits(field: FieldInfo) -> str:
    """ " (1 to 16)", " (1 or more)": the bounds that validation holds the value to."""
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
    if "ge" in bounds and "le" in bounds:
        return f" ({bounds['ge']:,} to {bounds['le']:,})"
    return f" ({bounds['ge']:,} or more)" if bounds.get("ge") else ""


if __name__ == "__main__":
    print(table())
