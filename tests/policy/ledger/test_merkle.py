"""RFC 6962 trees against the published vectors and against the RFC's definitions, written down naively."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.ledger.tree.merkle import (
    EMPTY_ROOT,
    TILE,
    MerkleTree,
    consistency_holds,
    consistency_path,
    inclusion_holds,
    inclusion_path,
    leaf_hash,
    node_hash,
    tail_lengths,
)

# The test vectors of the certificate-transparency reference implementation.
CT_BODIES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(count)]


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = naive_split(len(hashes))
    return node_hash(naive_root(hashes[:k]), naive_root(hashes[k:]))


def naive_inclusion(m: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, PATH."""
    if len(hashes) == 1:
        return []
    k = naive_split(len(hashes))
    if m < k:
        return [*naive_inclusion(m, hashes[:k]), naive_root(hashes[k:])]
    return [*naive_inclusion(m - k, hashes[k:]), naive_root(hashes[:k])]


def naive_consistency(m: int, hashes: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2, SUBPROOF."""
    if m == len(hashes):
        return [] if whole else [naive_root(hashes)]
    k = naive_split(len(hashes))
    if m <= k:
        return [*naive_consistency(m, hashes[:k], whole), naive_root(hashes[k:])]
    return [*naive_consistency(m - k, hashes[k:], False), naive_root(hashes[:k])]


def naive_split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def node_at(hashes: list[bytes]):
    return lambda height, index: naive_root(hashes[index << height : (index + 1) << height])


def grown(hashes: list[bytes]) -> MerkleTree:
    tree = MerkleTree()
    for leaf in hashes:
        tree.add(leaf)
    return tree


def test_the_roots_are_those_of_the_published_vectors():
    tree = MerkleTree()
    assert tree.root() == EMPTY_ROOT == bytes.fromhex(CT_ROOTS[0])
    for body, root in zip(CT_BODIES, CT_ROOTS[1:], strict=True):
        tree.add(leaf_hash(body))
        assert tree.root().hex() == root


def test_published_inclusion_and_consistency_proofs_come_out():
    hashes = [leaf_hash(body) for body in CT_BODIES]
    assert [h.hex() for h in inclusion_path(5, 8, node_at(hashes))] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [h.hex() for h in consistency_path(6, 8, node_at(hashes))] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 300, 511, 512, 65_536, 65_537, 66_000])
def test_a_tree_resumed_from_what_is_stored_grows_to_the_same_root(size):
    hashes = leaves(size + 300)
    whole, stored = MerkleTree(), {0: [], 1: [], 2: []}
    for leaf in hashes[:size]:
        stored[0].append(leaf)
        for node in whole.add(leaf):
            assert node.index == len(stored[node.level])
            stored[node.level].append(node.hash)
    tails = [stored[level][len(stored[level]) - length :] for level, length in enumerate(tail_lengths(size))]
    resumed = MerkleTree.resume(size, tails)
    assert resumed.root() == whole.root()
    for leaf in hashes[size:]:
        assert resumed.add(leaf) == whole.add(leaf)
    assert resumed.root() == whole.root()
    assert all(len(tail) < TILE for tail in tails)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_inclusion_proofs_are_those_of_the_rfc_and_hold(data):
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    path = inclusion_path(index, size, node_at(hashes))
    root = grown(hashes).root()
    assert root == naive_root(hashes)
    assert path == naive_inclusion(index, hashes)
    assert inclusion_holds(hashes[index], index, size, path, root)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_an_altered_inclusion_proof_does_not_hold(data):
    size = data.draw(st.integers(2, 200))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    path, root = inclusion_path(index, size, node_at(hashes)), naive_root(hashes)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    place = data.draw(st.integers(0, len(path) - 1))
    assert not inclusion_holds(hashes[other], index, size, path, root)
    assert not inclusion_holds(hashes[index], other, size, path, root)
    assert not inclusion_holds(hashes[index], index, size, path[:place] + path[place + 1 :], root)
    assert not inclusion_holds(hashes[index], index, size, [*path, root], root)
    assert not inclusion_holds(hashes[index], index + size, size, path, root)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_consistency_proofs_are_those_of_the_rfc_and_hold(data):
    new = data.draw(st.integers(1, 300))
    old = data.draw(st.integers(1, new))
    hashes = leaves(new)
    path = consistency_path(old, new, node_at(hashes))
    assert path == naive_consistency(old, hashes)
    assert consistency_holds(old, new, naive_root(hashes[:old]), naive_root(hashes), path)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_tree_that_was_rewritten_has_no_consistency_proof(data):
    new = data.draw(st.integers(2, 200))
    old = data.draw(st.integers(1, new - 1))
    hashes = leaves(new)
    path, before = consistency_path(old, new, node_at(hashes)), naive_root(hashes[:old])
    rewritten = [leaf_hash(b"another"), *hashes[1:]]
    assert not consistency_holds(old, new, naive_root(rewritten[:old]), naive_root(hashes), path)
    assert not consistency_holds(old, new, before, naive_root(rewritten), path)
    assert not consistency_holds(old, new, before, naive_root(hashes), path[:-1])
    assert not consistency_holds(old, new, before, naive_root(hashes), [*path, before])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_of_a_leaf_beyond_the_tree(index, size):
    with pytest.raises(ValueError, match=f"leaf {index} is not in a tree of {size} leaves"):
        inclusion_path(index, size, node_at(leaves(size)))


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_consistency_proof_with_a_larger_or_empty_tree(old, new):
    with pytest.raises(ValueError, match=f"no tree of {old} leaves can be compared"):
        consistency_path(old, new, node_at(leaves(new)))
