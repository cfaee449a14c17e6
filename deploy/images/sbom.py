"""Software bill of materials of an image: its Python and Debian packages, as CycloneDX 1.6 on standard output.

python deploy/images/sbom.py api > sbom.cdx.json   (with the Python of the image)
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

_DPKG = Path("/var/lib/dpkg/status")
_INSTALLED = "install ok installed"


def bill(name: str, status: str) -> dict[str, Any]:
    """The document for the image `name`: what this Python can import, and what `status`, dpkg's file, says."""
    found = sorted((*_python(), *_debian(status)), key=lambda component: component["purl"])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"presswork-{name}"}},
        "components": list({component["purl"]: component for component in found}.values()),
    }


def _python() -> Iterator[dict[str, Any]]:
    for each in distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
        purl = f"pkg:pypi/{quote(name)}@{quote(each.version)}"
        yield {"type": "library", "name": name, "version": each.version, "purl": purl, **_licences(each)}


def _licences(of: Distribution) -> dict[str, Any]:
    """As the package says: an SPDX expression, else the first line of what older packages wrote."""
    if expression := of.metadata["License-Expression"]:
        return {"licenses": [{"expression": expression}]}
    written = (of.metadata["License"] or "").strip().splitlines()
    return {"licenses": [{"license": {"name": written[0]}}]} if written else {}


def _debian(status: str) -> Iterator[dict[str, Any]]:
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == _INSTALLED:
            name, version, of = fields["Package"], fields["Version"], fields["Architecture"]
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={of}"
            yield {"type": "library", "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    dpkg = _DPKG.read_text("utf-8") if _DPKG.exists() else ""
    json.dump(bill(sys.argv[1], dpkg), sys.stdout, indent=1)
