"""Classifier loading: the classifiers that a rule set needs, those that ship and those that it bundles."""

from __future__ import annotations

from policy.images.blank import Blank
from policy.images.classifier import Classifier
from policy.images.hash_list import HashList
from policy.images.nsfw import MID, MID_CARD, Nsfw
from policy.images.texts import Reader
from policy.rulebook.classifiers import HashListPart, NetworkPart
from policy.rules import Rules


def load(rules: Rules, *, threads: int) -> tuple[list[Classifier], Reader | None]:
    """Every classifier, and the reader of writing if the rules need one. Raises PolicyUnavailable where one is missing.

    `blank` and `nsfw` are always loaded: their scores are kept for every picture, for future rules.
    """
    classifiers: list[Classifier] = [Blank(), Nsfw.load(threads=threads)]
    asked = {rule.classifier for rule in rules.image_rules} | second_names(rules)
    if MID in asked:
        classifiers.append(Nsfw.load(MID_CARD, threads=threads))
    classifiers += [_bundled(part, rules) for part in rules.bundled.classifiers]
    return classifiers, _reader(threads) if rules.bundled.text_categories else None


def second_names(rules: Rules) -> set[str]:
    """Classifiers that some rule names as its second opinion."""
    return {rule.second.classifier for rule in rules.image_rules if rule.second is not None}


def _bundled(part: HashListPart | NetworkPart, rules: Rules) -> Classifier:
    if isinstance(part, HashListPart):
        return HashList.load(part.name, rules.bundled.home / part.file, sha256=part.sha256)
    from policy.images import networks  # noqa: PLC0415 - loads torch

    return networks.load(part, rules.bundled.home)


def _reader(threads: int) -> Reader:
    from policy.images.ocr import RapidReader  # noqa: PLC0415 - an optional extra

    return RapidReader.load(threads=threads)
