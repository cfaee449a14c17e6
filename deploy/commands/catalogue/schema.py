"""`presswork catalogue schema`: the JSON schema by which editors check a catalogue file while it is written."""

from __future__ import annotations

import json

import click

from api.schemas.catalogues import CatalogueBody


@click.command()
def schema() -> None:
    """Print the JSON schema of catalogue files."""
    click.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The schema as it is shipped, docs/catalogue.schema.json."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **CatalogueBody.model_json_schema()}
    return json.dumps(made, indent=2, ensure_ascii=True) + "\n"
