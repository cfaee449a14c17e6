"""Merkle trees by RFC 6962: leaves in, roots and proofs out, in O(log n) memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
TILE_BITS = 8  # a subtree of 2**8 leaves, of 2**16, ... is worth storing: one node for 256 below it
TILE = 1 << TILE_BITS
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeAt = Callable[[int, int], bytes]  # (height, index) -> hash of leaves [index << height, (index + 1) << height)

_sha256 = hashlib.sha256


@dataclass(frozen=True, slots=True)
class Node:
    """The root of a complete subtree of 256**level leaves, the index-th of its level."""

    level: int
    index: int
    hash: bytes


def leaf_hash(body: bytes) -> bytes:
    """RFC 6962 section 2.1: the hash of one entry."""
    return _sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1: the hash of two subtrees."""
    return _sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A growing tree that keeps only the roots of its complete subtrees, largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    @classmethod
    def resume(cls, size: int, tails: Sequence[Sequence[bytes]]) -> MerkleTree:
        """The tree of `size` leaves from its stored hashes.

        tails[level] holds the last (size >> 8 * level) % 256 hashes of that level: level 0 the leaves after the last
        full tile, level 1 the tiles after the last full tile of tiles, and so on.
        """
        tree = cls()
        for tail in reversed(tails):
            part = cls()
            for hashed in tail:
                part.add(hashed)
            tree._peaks.extend(part._peaks)
        tree.size = size
        return tree

    def add(self, leaf: bytes) -> list[Node]:
        """Append one leaf hash; the stored nodes it completed, lowest first (mostly none)."""
        completed: list[Node] = []
        node, height, rest = leaf, 0, self.size
        while rest & 1:
            node = _sha256(b"\x01" + self._peaks.pop() + node).digest()
            rest >>= 1
            height += 1
            if height % TILE_BITS == 0:
                completed.append(Node(height // TILE_BITS, self.size >> height, node))
        self._peaks.append(node)
        self.size += 1
        return completed

    def copy(self) -> MerkleTree:
        other = MerkleTree()
        other.size, other._peaks = self.size, list(self._peaks)
        return other

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def tail_lengths(size: int) -> list[int]:
    """The number of hashes that `MerkleTree.resume` needs of each level, level 0 first."""
    lengths = []
    while size:
        lengths.append(size % TILE)
        size >>= TILE_BITS
    return lengths


def inclusion_path(index: int, size: int, node_at: NodeAt) -> list[bytes]:
    """RFC 6962 section 2.1.1: the audit path of leaf `index` in the tree of `size`, leaf's sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_root(middle, end, node_at))
            end = middle
        else:
            path.append(_range_root(begin, middle, node_at))
            begin = middle
    return path[::-1]


def consistency_path(old: int, new: int, node_at: NodeAt) -> list[bytes]:
    """RFC 6962 section 2.1.2: the proof that the tree of `old` leaves is a prefix of that of `new`."""
    if not 0 < old <= new:
        raise ValueError(f"no tree of {old} leaves can be compared with one of {new}")
    path: list[bytes] = []
    begin, end, whole = 0, new, True  # whole: the old tree is a complete subtree seen so far, its root is known
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_range_root(middle, end, node_at))
            end = middle
        else:
            path.append(_range_root(begin, middle, node_at))
            begin, whole = middle, False
    if not whole:
        path.append(_range_root(begin, end, node_at))
    return path[::-1]


def inclusion_holds(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 section 2.1.3.2: whether `path` proves that `leaf` is leaf `index` under `root`."""
    if not 0 <= index < size:
        return False
    node, last, hashed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            hashed = node_hash(sibling, hashed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hashed == root


def consistency_holds(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2: whether `path` proves that the old tree is a prefix of the new one."""
    if old == new:
        return old > 0 and old_root == new_root and not path
    if not 0 < old < new:
        return False
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(begin: int, end: int, node_at: NodeAt) -> bytes:
    """The root over leaves [begin, end), a range that the recursion of RFC 6962 meets."""
    count = end - begin
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return node_at(height, begin >> height)
    middle = begin + _split(count)
    return node_hash(_range_root(begin, middle, node_at), _range_root(middle, end, node_at))
