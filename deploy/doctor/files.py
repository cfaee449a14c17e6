"""Files that a process reads when it starts: rule set, model folder, certificates, keys of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from deploy.doctor.diagnosis import Diagnoses, in_words, ok, warning, wrong
from policy.errors import PolicyError
from policy.ledger.tree.keys import KeyFiles, keys_on_disk, load_vkeys
from policy.rules import Rules
from workers.errors import WorkerError
from workers.gpu.key_service import signer_of
from workers.sampling.cards.registry import Registry
from workers.settings import Settings

EXPIRY_WARNING = timedelta(days=30)


def examine_rules(settings: Settings) -> Diagnoses:
    """The rule set compiles."""
    try:
        rules = Rules.load(settings.policy_rules)
    except (PolicyError, OSError) as error:
        yield wrong("rule set", in_words(error), "mend the file, or name another in PRESSWORK_POLICY_RULES")
        return
    yield ok("rule set", f"{rules.version}, {settings.policy_rules}")


def examine_models(settings: Settings) -> Diagnoses:
    """The model folder, by its cards: `presswork models check` looks at every file."""
    try:
        registry = Registry.load(settings.models_dir)
    except (WorkerError, OSError) as error:
        yield wrong("models", in_words(error), "mend the card, or name another folder in PRESSWORK_MODELS_DIR")
        return
    yield ok("models", ", ".join(registry.names()) or "none")
    for (kind, name), why in registry.unusable.items():
        yield warning("models", f"{kind} {name} cannot be used: {why}", "presswork models check names the place")


def examine_signing(settings: Settings) -> Diagnoses:
    """The C2PA certificate and its key."""
    subject = "signing certificate"
    key = settings.signing_key or settings.signing_url
    if not (settings.signing_certificate and key and settings.trust_anchors):
        names = ("SIGNING_CERTIFICATE", *(() if key else ("SIGNING_KEY",)), "TRUST_ANCHORS")
        missing = [f"PRESSWORK_{name}" for name in names if getattr(settings, name.lower()) is None]
        yield wrong(subject, f"not set: {', '.join(missing)}", "a worker does not start without them")
        return
    try:
        signer_of(settings)
    except PolicyError as error:
        yield wrong(subject, in_words(error), "renew the certificate, or mount the right files")
        return
    yield from _expiry(subject, settings.signing_certificate)
    yield from _expiry("trust anchors", settings.trust_anchors)


def examine_ledger_keys(settings: Settings, *, signs: bool) -> Diagnoses:
    """The public keys of the log, and for the sealer the private one that belongs to them."""
    subject = "ledger keys"
    if settings.ledger_vkeys is None or (signs and settings.ledger_key is None):
        name = "PRESSWORK_LEDGER_VKEYS" if settings.ledger_vkeys is None else "PRESSWORK_LEDGER_KEY"
        yield wrong(subject, f"{name} is not set", "mount the file and name it")
        return
    try:
        vkeys = load_vkeys(settings.ledger_vkeys)
        if signs and settings.ledger_key:
            files = KeyFiles(settings.ledger_key, settings.ledger_vkeys)
            signer = keys_on_disk(files, name=settings.ledger_origin)().signer
            if signer.vkey not in vkeys:
                yield wrong(subject, "the public half of the key is not listed", f"add the line {signer.vkey}")
                return
    except (PolicyError, OSError) as error:
        yield wrong(subject, in_words(error), "mount the right files")
        return
    yield ok(subject, f"{len(vkeys)} public for {settings.ledger_origin}" + (", and the private one" if signs else ""))


def _expiry(subject: str, path: Path) -> Diagnoses:
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        yield wrong(subject, f"{path}: {in_words(error)}", "mount a file of certificates in PEM form")
        return
    ends = min(certificate.not_valid_after_utc for certificate in chain)
    left = ends - datetime.now(UTC)
    if left <= timedelta(0):
        yield wrong(subject, f"{path} ended on {ends:%Y-%m-%d}", "renew it")
    elif left < EXPIRY_WARNING:
        yield warning(subject, f"{path} ends on {ends:%Y-%m-%d}, in {left.days} days", "renew it before")
    else:
        yield ok(subject, f"valid until {ends:%Y-%m-%d}")
