"""XMP packet: the unsigned label that search engines and picture editors read.

Sources: XMP specification part 1, IPTC Photo Metadata Standard 2025.1.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from policy.marks.stamp import DIGITAL_SOURCE_TYPE, Maker, Stamp

MAX_PACKET_BYTES = 64 * 1024

_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
# XML 1.0 has no place for these, escaped or not (section 2.2).
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def packet(stamp: Stamp, maker: Maker, source_type: str = DIGITAL_SOURCE_TYPE) -> bytes:
    """The XMP packet for one asset, UTF-8. Same stamp, same bytes."""
    properties = {
        "dc:identifier": stamp.asset_id,
        "xmp:CreatorTool": f"{maker.name} {maker.version}",
        "xmp:CreateDate": stamp.made_at.isoformat(timespec="seconds"),
        **({"Iptc4xmpExt:DigitalSourceType": source_type} if source_type else {}),
        **_system(stamp),
    }
    if stamp.published_prompt:
        properties["Iptc4xmpExt:AIPromptInformation"] = _NOT_IN_XML.sub(" ", stamp.published_prompt)
    namespaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in properties.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about=""{namespaces}>{elements}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _system(stamp: Stamp) -> dict[str, str]:
    """The model that made it; of a picture made elsewhere the tool that was stated, where that is an AI system."""
    if stamp.origin is None:
        used = {"Iptc4xmpExt:AISystemUsed": stamp.model, "Iptc4xmpExt:AISystemVersionUsed": stamp.model_revision}
    elif stamp.origin.declaration == "none" or not stamp.origin.tool:
        used = {}
    else:
        used = {"Iptc4xmpExt:AISystemUsed": _NOT_IN_XML.sub(" ", stamp.origin.tool)}
    return used


def properties(packet: bytes) -> dict[str, str]:
    """Simple properties of a packet by their usual names ("dc:identifier"); {} for anything that is not XMP.

    The packet may come from anybody: no document types or entities, a size limit, UTF-8 only.
    """
    if len(packet) > MAX_PACKET_BYTES or b"<!" in packet:
        return {}
    try:
        tree = ET.fromstring(packet.decode("utf-8").strip("\x00\ufeff \n"))  # noqa: S314 - no entities get this far
    except (UnicodeDecodeError, ET.ParseError):
        return {}
    found: dict[str, str] = {}
    for description in tree.iter(f"{{{_RDF}}}Description"):
        pairs = [*description.attrib.items(), *((child.tag, child.text or "") for child in description)]
        found.update({name: value for tag, value in pairs if (name := _usual_name(tag))})
    return found


def _usual_name(tag: str) -> str | None:
    for prefix, uri in _NAMESPACES.items():
        if tag.startswith(f"{{{uri}}}"):
            return f"{prefix}:{tag.removeprefix(f'{{{uri}}}')}"
    return None
