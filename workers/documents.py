"""Documents of this process for the ledger: the rule set it decides by, the model cards it makes pictures with,
and the program that checks evidence packs."""

from __future__ import annotations

from pathlib import Path

from policy.errors import RulesInvalid
from policy.ledger.documents import Document, model, rule_set, verifier
from policy.ledger.evidence import offline_verifier
from policy.rules import Rules
from workers.errors import CardInvalid
from workers.sampling.cards.contents import CARD
from workers.sampling.cards.extras import AdapterCard, UpscalerCard
from workers.sampling.cards.mask_networks import MaskNetworkCard
from workers.sampling.cards.references import ReferenceCard
from workers.sampling.cards.registry import ModelCard, Registry


def documents_of(rules: Rules, rules_path: Path, registry: Registry) -> tuple[Document, ...]:
    """The rule set, every card of the registry, read again, and the verifier of packs.

    Raises RulesInvalid or CardInvalid if a file was changed since it was loaded: what is kept must be what decides.
    """
    policy = rule_set(rules.name, _read(rules_path, RulesInvalid))
    if f"sha256:{policy.sha256}" != rules.version:
        raise RulesInvalid(f"{rules_path} was changed while this process started. Remedy: start it again")
    found = [policy]
    cards: list[ModelCard | UpscalerCard | AdapterCard | ReferenceCard | MaskNetworkCard] = [
        *registry.cards.values(),
        *registry.references.values(),
    ]
    cards += [registry.mask_network] if registry.mask_network else []
    for card in (*cards, *registry.upscalers.values(), *registry.adapters.values()):
        listed = sorted(card.files, key=lambda file: file.path.encode())
        found += model(
            card.name,
            revision=card.revision,
            licence=card.licence,
            listing="".join(f"{file.sha256}  {file.path}\n" for file in listed).encode(),
            card=_read(card.home / CARD, CardInvalid),
        )
    found.append(verifier(Path(offline_verifier.__file__).read_bytes(), offline_verifier.FORMAT))
    return tuple(found)


def _read(path: Path, error: type[RulesInvalid | CardInvalid]) -> bytes:
    try:
        return path.read_bytes()
    except OSError as missing:
        raise error(f"{path}: cannot be read any more ({missing.strerror})") from missing
