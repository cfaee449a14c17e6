"""YAML files written by people: read strictly, with errors that name the line and the remedy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from policy.errors import PolicyError

Schema = TypeVar("Schema", bound=BaseModel)

_MISTAKES_SHOWN = 20
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is built in


@dataclass(frozen=True, slots=True)
class Read(Generic[Schema]):
    """The content of a file, the digest of the bytes that it was parsed from, and where each part stands."""

    content: Schema
    sha256: str
    path: Path
    root: yaml.Node | None

    def place(self, *keys: str | int) -> str:
        """ "file, line 12 (prompt.rules.3)": the position of the value under these keys, or of its nearest parent."""
        return f"{self.path}, line {_line(self.root, keys)} ({'.'.join(map(str, keys))})"


def read_yaml(path: Path, schema: type[Schema], error: type[PolicyError]) -> Read[Schema]:
    """The file as `schema`. Raises `error`, listing every mistake with its line.

    It is stricter than YAML: a repeated key is an error, because the later value would win unnoticed.
    """
    return parse_yaml(path, read_stored(path, error), schema, error)


def read_stored(path: Path, error: type[PolicyError]) -> bytes:
    """The bytes of the file. Raises `error` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as missing:
        raise error(f"{path}: cannot be read ({missing.strerror}); check the path and its permissions") from missing


def parse_yaml(path: Path, stored: bytes, schema: type[Schema], error: type[PolicyError]) -> Read[Schema]:
    """What `read_yaml` makes of these bytes; `path` is what its errors name."""
    try:
        text = stored.decode("utf-8")
        root, loaded = _parsed(text, partial(_refuse_repeated_keys, path=path, error=error))
    except UnicodeDecodeError as wrong:
        raise error(f"{path}: byte {wrong.start} is not UTF-8; save the file as UTF-8") from wrong
    except yaml.YAMLError as wrong:
        raise error(f"{path}: not YAML: {' '.join(str(wrong).split())}") from wrong
    try:
        content = schema.model_validate(loaded)
    except ValidationError as wrong:
        raise error(_mistakes(path, root, wrong)) from wrong
    return Read(content, hashlib.sha256(stored).hexdigest(), path, root)


def _parsed(text: str, check: Callable[[yaml.Node | None], None]) -> tuple[yaml.Node | None, Any]:
    """The document's nodes, checked before anything is made of them, and its content. Parsed once."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        check(root)
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _mistakes(path: Path, root: yaml.Node | None, wrong: ValidationError) -> str:
    lines = []
    for mistake in wrong.errors(include_url=False)[:_MISTAKES_SHOWN]:
        place = ".".join(str(key) for key in mistake["loc"]) or "the file"
        lines.append(f"{path}, line {_line(root, mistake['loc'])}: {place}: {_remedy(mistake)}")
    left = wrong.error_count() - len(lines)
    return "\n".join(lines + ([f"and {left} more"] if left > 0 else []))


def _remedy(mistake: Any) -> str:
    match mistake["type"]:
        case "extra_forbidden":
            return "no such key here; remove it or correct its spelling"
        case "missing":
            return "this key is needed"
        case _:
            return str(mistake["msg"]).removeprefix("Value error, ")


def _line(node: yaml.Node | None, keys: tuple[int | str, ...]) -> int:
    """1-based line of the deepest node on this path that the file has."""
    line = 1 if node is None else node.start_mark.line + 1
    for key in keys:
        child = None
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(key)]
            if found:
                line, child = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            child = node.value[key]
            line = child.start_mark.line + 1
        if child is None:
            return line
        node = child
    return line


def _refuse_repeated_keys(node: yaml.Node | None, path: Path, error: type[PolicyError]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise error(f"{path}, line {line}: {key.value!r} stands already in line {seen[key.value]}; keep one")
            seen[key.value] = line
            _refuse_repeated_keys(value, path, error)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_keys(value, path, error)
