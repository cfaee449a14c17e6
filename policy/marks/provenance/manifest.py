"""C2PA manifest: what made this picture, signed over its final bytes; and how to read and check it.

Signing is the last change to a file: anything written later reads as tampering. The only network use is a time-stamp
authority, if one is set: no OCSP, no remote manifests. Source: C2PA specification 2.2, CAWG training and data mining
1.1.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import c2pa

from policy.errors import ManifestInvalid, MarkError, SigningUnavailable
from policy.marks.provenance.origin import BASIS, StatedOrigin
from policy.marks.provenance.signing import Signer
from policy.marks.stamp import DIGITAL_SOURCE_TYPE, EDITED_SOURCE_TYPE, SOFT_BINDING, UNMARKED, EditSource, Maker, Stamp

GENERATION = "presswork.generation"
STATED_ORIGIN = "presswork.stated-origin"
TRUSTED = "Trusted"
_PARENT = "parent"  # how the actions of an edit name its source

# Purposes a leaf certificate may be for: e-mail protection, document signing, C2PA claim signing.
_PURPOSES = "1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36\n1.3.6.1.4.1.62558.2.1\n"
_OFFLINE = {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False}
_MINING = ("cawg.ai_generative_training", "cawg.ai_inference", "cawg.ai_training", "cawg.data_mining")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A picture that this one was made from, and what its own manifest said at that time ("" if it had none)."""

    title: str
    relationship: str
    label: str
    generator: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The active manifest of a file, and the result of checking it.

    `state` is "Trusted", "Valid" (sound, but under no trusted certificate) or "Invalid", then with the failed checks.
    """

    state: str
    label: str = ""
    signer: str = ""
    generator: str = ""
    digital_source_type: str = ""
    asset_id: str = ""
    watermark_hex: str = ""
    generation: dict[str, Any] | None = None
    timestamp: str = ""  # of a time-stamp authority (RFC 3161) that fits the signature; "" without one
    timestamp_trusted: bool = False
    ingredients: tuple[Ingredient, ...] = ()
    failures: tuple[str, ...] = ()


class ManifestWriter:
    """Signs finished pictures. Safe to use from several threads."""

    def __init__(self, signer: Signer, maker: Maker, *, timestamp_url: str = "") -> None:
        self._signer = signer
        self._maker = maker
        self._timestamp_url = timestamp_url or None
        # A thumbnail would cost most of the time and of the added bytes, and shows nothing new.
        settings = {"version": 1, "verify": _OFFLINE, "builder": {"thumbnail": {"enabled": False}}}
        self._context = c2pa.Context.from_dict(settings)

    def sign(
        self,
        data: bytes,
        media_type: str,
        stamp: Stamp,
        scheme: str,
        *,
        source: EditSource | None = None,
        lock: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The same picture with a signed manifest; with a source, as an edit of it that keeps its manifests.

        `lock` is what is said of a locked product. Without a watermark (`UNMARKED`) the manifest binds none.
        Raises SigningUnavailable if the key or the requested time-stamp authority does not answer, and MarkError for a
        source that is not a picture.
        """
        failures: list[Exception] = []

        def sign(claim: bytes) -> bytes:
            try:
                return self._signer.sign(claim)
            except Exception as error:
                failures.append(error)  # the library tells only that it failed
                raise

        signed = io.BytesIO()
        definition = _definition(stamp, self._maker, media_type, scheme, source=source, lock=lock)
        try:
            algorithm = c2pa.C2paSigningAlg[self._signer.algorithm.upper()]
            with (
                c2pa.Signer.from_callback(
                    sign, algorithm, self._signer.certificate_chain, self._timestamp_url
                ) as signer,
                c2pa.Builder(definition, self._context) as builder,
            ):
                if source:
                    _keep(builder, source, "parentOf", _PARENT)
                for name, guide in zip(_guides(stamp), stamp.guides, strict=True):
                    _keep(builder, guide, "inputTo", name)
                builder.sign(signer, media_type, io.BytesIO(data), signed)
        except c2pa.C2paError as error:
            reason = failures[0] if failures else error
            raise SigningUnavailable(f"the manifest could not be signed: {reason}") from reason
        return signed.getvalue()


def _guides(stamp: Stamp) -> list[str]:
    """How the actions name the pictures that guided the model."""
    return [f"guide-{n}" for n in range(len(stamp.guides))]


def _keep(builder: c2pa.Builder, source: EditSource, relationship: str, label: str) -> None:
    ingredient = {"title": source.title, "relationship": relationship, "label": label}
    try:
        builder.add_ingredient(ingredient, source.media_type, io.BytesIO(source.data))
    except c2pa.C2paError as error:
        raise MarkError(f"the source is no {source.media_type} picture to keep as an ingredient: {error}") from error


# Formats that C2PA has no place for a manifest in.
_WITHOUT_MANIFESTS = frozenset({"image/bmp", "image/jp2"})


class ManifestReader:
    """Reads and checks manifests against these root certificates (PEM). Safe to use from several threads.

    Without root certificates, a sound manifest is "Valid". Raises SigningUnavailable for text that is not certificates.
    """

    def __init__(self, trust_anchors: str) -> None:
        settings: dict[str, Any] = {"version": 1, "verify": {**_OFFLINE, "verify_trust": False}}
        if trust_anchors.strip():
            settings["verify"]["verify_trust"] = True
            settings["trust"] = {"trust_anchors": trust_anchors, "trust_config": _PURPOSES}
        try:
            self._context = c2pa.Context.from_dict(settings)
        except c2pa.C2paError as error:
            raise SigningUnavailable(f"the trust anchors are not certificates in PEM form: {error}") from error

    def read(self, data: bytes, media_type: str) -> Manifest | None:
        """The active manifest of a file, or None if it has none. Never raises for the content of the file."""
        if media_type in _WITHOUT_MANIFESTS:
            return None
        try:
            with c2pa.Reader(media_type, io.BytesIO(data), context=self._context) as reader:
                store = json.loads(reader.json())
        except c2pa.C2paError.ManifestNotFound:
            return None
        except c2pa.C2paError as error:
            return Manifest(state="Invalid", failures=(str(error),))
        return _manifest(store)


def require_trusted(manifest: Manifest | None, stamp: Stamp, *, timed: bool = False, bound: bool = True) -> Manifest:
    """The manifest, if it is present, trusted, about this asset and (with `timed`) time-stamped.

    `bound`: it names the watermark; else there is none, and it must name none.

    Raises ManifestInvalid.
    """
    if manifest is None:
        raise ManifestInvalid("the finished file carries no manifest")
    if manifest.state != TRUSTED:
        reasons = ", ".join(manifest.failures) or "the signer's root is not among the trust anchors"
        raise ManifestInvalid(f"the manifest reads back as {manifest.state}: {reasons}")
    if (manifest.asset_id, manifest.watermark_hex) != (stamp.asset_id, stamp.watermark_hex if bound else ""):
        raise ManifestInvalid(f"the manifest is about asset {manifest.asset_id}, not {stamp.asset_id}")
    if timed and not manifest.timestamp_trusted:
        found = "its authority's root is not among the trust anchors" if manifest.timestamp else "there is none"
        raise ManifestInvalid(f"the time stamp that was asked for does not count: {found}")
    return manifest


def _definition(
    stamp: Stamp,
    maker: Maker,
    media_type: str,
    scheme: str,
    *,
    source: EditSource | None,
    lock: Mapping[str, Any] | None,
) -> dict[str, Any]:
    agent = {"name": maker.name, "version": maker.version}
    done = {"when": stamp.made_at.isoformat(timespec="seconds"), "softwareAgent": agent}
    opened: dict[str, Any] = {"action": "c2pa.opened", **done, "parameters": {"ingredientIds": [_PARENT]}}
    guided = {"parameters": {"ingredientIds": _guides(stamp)}} if stamp.guides else {}
    edited = {"action": "c2pa.edited", **done, "digitalSourceType": EDITED_SOURCE_TYPE, **guided}
    created = {"action": "c2pa.created", **done, "digitalSourceType": DIGITAL_SOURCE_TYPE, **guided}
    made = [opened, edited] if source else [created]
    if stamp.origin:  # the finisher always has its source
        made = [opened | _stated(stamp.origin)]
    binding = {"alg": SOFT_BINDING, "blocks": [{"scope": {}, "value": stamp.watermark_hex}]}
    bound = [] if scheme == UNMARKED else [{"label": "c2pa.soft-binding", "data": binding}]
    actions = [*made, *([{"action": "c2pa.watermarked.bound", **done}] if bound else [])]
    generation: dict[str, Any] = {
        "asset_id": stamp.asset_id,
        "ledger_origin": stamp.ledger_origin,
        **({} if stamp.origin else {"model": stamp.model, "model_revision": stamp.model_revision}),
        "policy_version": stamp.policy_version,
        "watermark_scheme": scheme,
    }
    if stamp.parts:
        generation["parts"] = [part.to_json() for part in stamp.parts]
    if stamp.label:
        generation["label"] = stamp.label
    if stamp.published_prompt:
        generation["prompt"] = stamp.published_prompt
    if lock:
        generation["lock"] = dict(lock)
    mining = {entry: {"use": "notAllowed"} for entry in _MINING}
    return {
        "claim_generator_info": [agent],
        "title": stamp.asset_id,
        "format": media_type,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            *bound,
            {"label": "cawg.training-mining", "data": {"entries": mining}},
            {"label": GENERATION, "data": generation, "kind": "Json"},
            *([{"label": STATED_ORIGIN, "data": stamp.origin.assertion(), "kind": "Json"}] if stamp.origin else []),
        ],
    }


def _stated(origin: StatedOrigin) -> dict[str, Any]:
    """On the action that took the picture over: what it is said to be, and that it is only said."""
    said = {"description": f"Origin {BASIS}."}
    return said | ({"digitalSourceType": origin.uri} if origin.uri else {})


def _manifest(store: dict[str, Any]) -> Manifest:
    label = store.get("active_manifest", "")
    active = store.get("manifests", {}).get(label, {})
    assertions = {assertion["label"]: assertion.get("data") for assertion in active.get("assertions", [])}
    generation = _mapping(assertions.get(GENERATION))
    signature = _mapping(active.get("signature_info"))
    checked = _mapping(_mapping(store.get("validation_results")).get("activeManifest"))
    passed = {_mapping(status).get("code") for status in checked.get("success") or []}
    return Manifest(
        state=str(store.get("validation_state", "Invalid")),
        label=label,
        signer=" / ".join(filter(None, (signature.get("issuer"), signature.get("common_name")))),
        generator=_generator(active),
        digital_source_type=_source_type(_mapping(assertions.get("c2pa.actions.v2"))),
        asset_id=str(generation.get("asset_id", "")),
        watermark_hex=_bound_value(_mapping(assertions.get("c2pa.soft-binding"))),
        generation=generation or None,
        timestamp=str(signature.get("time") or "") if "timeStamp.validated" in passed else "",
        timestamp_trusted="timeStamp.trusted" in passed,
        ingredients=tuple(_ingredients(store, active)),
        failures=tuple(status["code"] for status in store.get("validation_status", [])),
    )


def _ingredients(store: dict[str, Any], active: dict[str, Any]) -> Iterator[Ingredient]:
    for entry in active.get("ingredients", []):
        ingredient = _mapping(entry)
        label = str(ingredient.get("active_manifest") or "")
        own = _mapping(_mapping(store.get("manifests")).get(label))
        title, relationship = str(ingredient.get("title") or ""), str(ingredient.get("relationship") or "")
        yield Ingredient(title, relationship, label, _generator(own))


def _generator(manifest: dict[str, Any]) -> str:
    agents = [_mapping(agent) for agent in manifest.get("claim_generator_info") or []]
    return " ".join(filter(None, (agents[0].get("name"), agents[0].get("version")))) if agents else ""


def _source_type(actions: dict[str, Any]) -> str:
    types = (_mapping(action).get("digitalSourceType") for action in actions.get("actions", []))
    return str(next(filter(None, types), ""))


def _bound_value(binding: dict[str, Any]) -> str:
    if binding.get("alg") != SOFT_BINDING:
        return ""
    return str(next((_mapping(block).get("value") for block in binding.get("blocks", [])), ""))


def _mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping. Manifests of others may hold any type at any place."""
    return value if isinstance(value, dict) else {}
