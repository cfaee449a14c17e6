"""Configuration table of the README, made from the settings.

    python -m tools.configuration

prints it; a test compares the README with it, so that the two cannot drift apart.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from workers.settings import Settings

HEADER = "| Variable | Default | Allowed | Meaning |\n| --- | --- | --- | --- |"
_ROOT = Path(__file__).resolve().parent.parent


def table() -> str:
    """One Markdown row per setting, in the order in which the settings declare them."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        f"| `{prefix}{name.upper()}` | {_default(field)} | {_allowed(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([HEADER, *rows])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default()
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path) and value.is_relative_to(_ROOT):
        value = value.relative_to(_ROOT)
    if value in (None, ""):
        return "unset"
    return f"`{written(value)}`"


def written(value: object) -> str:
    """A value as an operator writes it into the environment: 30, not 30.0; false, not False."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _allowed(field: FieldInfo) -> str:
    """ "1 to 16", "1 or more", "above 0": the bounds that validation holds the value to; empty if there are none."""
    bounds = {end: getattr(rule, end) for rule in field.metadata for end in ("ge", "gt", "le") if hasattr(rule, end)}
    if "ge" in bounds and "le" in bounds:
        return f"{bounds['ge']:,} to {bounds['le']:,}"
    if "gt" in bounds:
        return f"above {bounds['gt']:,}"
    return f"{bounds['ge']:,} or more" if "ge" in bounds else ""


if __name__ == "__main__":
    print(table())
