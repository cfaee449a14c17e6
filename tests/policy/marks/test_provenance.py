"""Manifest: trusted with our root, broken by any later change, and silent about prompts."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import c2pa
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from policy.errors import ManifestInvalid, MarkError, SigningUnavailable
from policy.marks.encode import encode_png
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.manifest import Ingredient, ManifestReader, ManifestWriter, require_trusted
from policy.marks.provenance.signing import LocalSigner, check
from policy.marks.stamp import DIGITAL_SOURCE_TYPE, EDITED_SOURCE_TYPE, EditSource, Maker, Stamp
from tests.support.pictures import product

MAKER = Maker("Example Studio", "1.2.3")
STAMP = Stamp(
    asset_id="0192f0a0-0000-7000-8000-000000000001",
    watermark_id=0xABCDEF012345,
    model="studio",
    model_revision="sha256:" + "1" * 64,
    policy_version="sha256:" + "2" * 64,
    made_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    ledger_origin="log.example/ledger",
)
SCHEME = "dwtDctSvd-128/36"


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def signer(chain):
    return LocalSigner.from_files(chain.certificate, chain.key)


@pytest.fixture(scope="module")
def reader(chain):
    return ManifestReader(chain.anchors.read_text())


@pytest.fixture(scope="module")
def png():
    return encode_png(product(128, 128), b"<x/>")


@pytest.fixture(scope="module")
def signed(signer, png):
    return ManifestWriter(signer, MAKER).sign(png, "image/png", STAMP, SCHEME)


def assertions(data):
    """What a reader that is not ours finds in the file."""
    with c2pa.Reader("image/png", io.BytesIO(data)) as plain:
        active = plain.get_active_manifest()
    return active, {assertion["label"]: assertion["data"] for assertion in active["assertions"]}


def test_a_signed_picture_is_trusted_and_tells_what_made_it(signed, reader):
    manifest = require_trusted(reader.read(signed, "image/png"), STAMP)
    assert manifest.failures == ()
    assert manifest.generator == "Example Studio 1.2.3"
    assert manifest.digital_source_type == DIGITAL_SOURCE_TYPE
    assert manifest.watermark_hex == "abcdef012345"
    assert manifest.generation == {
        "asset_id": STAMP.asset_id,
        "ledger_origin": STAMP.ledger_origin,
        "model": STAMP.model,
        "model_revision": STAMP.model_revision,
        "policy_version": STAMP.policy_version,
        "watermark_scheme": SCHEME,
    }


def test_the_first_action_is_created_and_the_watermark_is_bound(signed):
    active, found = assertions(signed)
    actions = found["c2pa.actions.v2"]["actions"]
    assert [action["action"] for action in actions] == ["c2pa.created", "c2pa.watermarked.bound"]
    assert found["c2pa.soft-binding"]["blocks"] == [{"scope": {}, "value": "abcdef012345"}]
    assert {entry["use"] for entry in found["cawg.training-mining"]["entries"].values()} == {"notAllowed"}
    assert "thumbnail" not in json.dumps(active)


def test_a_manifest_adds_less_than_20_kilobytes(png, signed):
    assert len(signed) - len(png) < 20_000


def test_one_changed_byte_anywhere_in_the_pixels_is_noticed(signed, reader):
    start = signed.index(b"IDAT")
    for place in (start + 8, (start + len(signed)) // 2, len(signed) - 20):
        broken = bytearray(signed)
        broken[place] ^= 1
        assert reader.read(bytes(broken), "image/png").state == "Invalid"


def test_metadata_written_after_signing_is_noticed(signed, reader):
    end = signed.index(b"IEND") - 4
    comment = b"\x00\x00\x00\x05tEXta\x00bcd" + b"\x00" * 4
    assert reader.read(signed[:end] + comment + signed[end:], "image/png").state == "Invalid"


def test_somebody_elses_root_is_not_trusted(signed, tmp_path):
    foreign = make_development_chain(tmp_path)
    manifest = ManifestReader(foreign.anchors.read_text()).read(signed, "image/png")
    with pytest.raises(ManifestInvalid, match="signingCredential"):
        require_trusted(manifest, STAMP)


def test_without_anchors_a_sound_manifest_is_valid_but_not_trusted(signed):
    assert ManifestReader("").read(signed, "image/png").state == "Valid"


def test_trust_anchors_that_are_no_certificates_are_refused_at_start():
    with pytest.raises(SigningUnavailable, match="trust anchors"):
        ManifestReader("not PEM at all")


def test_a_picture_without_a_manifest_has_none_and_may_not_leave(png, reader):
    assert reader.read(png, "image/png") is None
    with pytest.raises(ManifestInvalid, match="no manifest"):
        require_trusted(None, STAMP)


def test_a_manifest_about_another_asset_may_not_leave(signed, reader):
    with pytest.raises(ManifestInvalid, match="is about asset"):
        require_trusted(reader.read(signed, "image/png"), replace(STAMP, asset_id="another"))


def test_a_key_that_does_not_match_its_certificate_is_found_in_the_final_bytes(signer, png, reader):
    """The library signs with it and says nothing."""
    foreign = LocalSigner(signer.certificate_chain, ec.generate_private_key(ec.SECP256R1()))
    data = ManifestWriter(foreign, MAKER).sign(png, "image/png", STAMP, SCHEME)
    with pytest.raises(ManifestInvalid, match="claimSignature"):
        require_trusted(reader.read(data, "image/png"), STAMP)


class DeadKeyService:
    algorithm = "es256"

    def __init__(self, certificate_chain):
        self.certificate_chain = certificate_chain

    def sign(self, data):
        raise TimeoutError("the key service did not answer")


def test_a_key_service_that_does_not_answer_is_named(signer, png):
    with pytest.raises(SigningUnavailable, match="did not answer"):
        ManifestWriter(DeadKeyService(signer.certificate_chain), MAKER).sign(png, "image/png", STAMP, SCHEME)


def test_several_threads_may_sign_and_read_at_once(signer, png, reader):
    writer = ManifestWriter(signer, MAKER)

    def once(_):
        return reader.read(writer.sign(png, "image/png", STAMP, SCHEME), "image/png").state

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(once, range(24))) == {"Trusted"}


@pytest.mark.parametrize(
    "word", [b"Example Studio", STAMP.asset_id.encode(), b"abcdef012345", b"trainedAlgorithmicMedia"]
)
def test_a_word_changed_inside_the_manifest_is_noticed(signed, reader, word):
    assert word in signed
    assert reader.read(signed.replace(word, word[:-1] + b"?"), "image/png").state == "Invalid"


def test_garbage_in_the_place_of_a_manifest_is_an_answer_not_an_exception(signed, reader):
    start = signed.index(b"caBX") + 4
    for garbage in (b"\x00" * 64, b"\xff" * 64, bytes(range(64))):
        manifest = reader.read(signed[:start] + garbage + signed[start + 64 :], "image/png")
        assert manifest is None or manifest.state == "Invalid"


def test_an_edit_says_so_and_keeps_its_source_with_all_manifests(signer, reader, png, signed):
    source = EditSource(signed, "image/png", title="catalogue shot")
    stamp = replace(STAMP, asset_id="edited", watermark_id=7)
    edited = ManifestWriter(signer, MAKER).sign(png, "image/png", stamp, SCHEME, source=source)
    manifest = require_trusted(reader.read(edited, "image/png"), stamp)
    assert manifest.digital_source_type == EDITED_SOURCE_TYPE
    before = reader.read(signed, "image/png")
    assert manifest.ingredients == (Ingredient("catalogue shot", "parentOf", before.label, "Example Studio 1.2.3"),)
    _, found = assertions(edited)
    actions = found["c2pa.actions.v2"]["actions"]
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited", "c2pa.watermarked.bound"]
    with c2pa.Reader("image/png", io.BytesIO(edited)) as plain:
        kept = json.loads(plain.json())["manifests"][before.label]
    assert STAMP.asset_id in json.dumps(kept)


def test_a_foreign_manifest_on_a_source_is_kept_though_nobody_here_trusts_it(signer, reader, png, tmp_path):
    """What came in with marks leaves with them: in the history, under the other maker's own signature."""
    chain = make_development_chain(tmp_path)
    foreign = ManifestWriter(LocalSigner.from_files(chain.certificate, chain.key), Maker("Another Studio", "9"))
    theirs = foreign.sign(png, "image/png", replace(STAMP, asset_id="theirs"), SCHEME)
    edited = ManifestWriter(signer, MAKER).sign(png, "image/png", STAMP, SCHEME, source=EditSource(theirs, "image/png"))
    manifest = require_trusted(reader.read(edited, "image/png"), STAMP)
    assert [ingredient.generator for ingredient in manifest.ingredients] == ["Another Studio 9"]
    assert manifest.asset_id == STAMP.asset_id


def test_a_source_without_a_manifest_is_named_all_the_same(signer, reader, png):
    edited = ManifestWriter(signer, MAKER).sign(png, "image/png", STAMP, SCHEME, source=EditSource(png, "image/png"))
    manifest = require_trusted(reader.read(edited, "image/png"), STAMP)
    assert manifest.ingredients == (Ingredient("source", "parentOf", "", ""),)


def test_a_source_that_is_no_picture_is_the_sources_fault_not_the_keys(signer, png):
    with pytest.raises(MarkError, match="source"):
        ManifestWriter(signer, MAKER).sign(png, "image/png", STAMP, SCHEME, source=EditSource(b"nothing", "image/png"))


def test_a_prompt_is_public_only_when_it_is_given_to_be_published(signer, png, signed, reader):
    assert b"teapot" not in signed
    published = replace(STAMP, published_prompt="a teal teapot")
    told = ManifestWriter(signer, MAKER).sign(png, "image/png", published, SCHEME)
    assert reader.read(told, "image/png").generation["prompt"] == "a teal teapot"


class KeyService:
    """A key that lives in another process: this one sends a digest and gets a signature, as key services work."""

    algorithm = "es256"

    def __init__(self, chain, url):
        self.certificate_chain, self._url = chain, url

    def sign(self, data):
        with urllib.request.urlopen(self._url, hashlib.sha256(data).digest(), timeout=5) as answer:
            return answer.read()


@pytest.fixture(scope="module")
def key_service(chain):
    program = [sys.executable, "-c", _KEY_SERVICE, str(chain.key)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as service:
        yield KeyService(chain.certificate.read_text(), service.stdout.readline().strip())
        service.terminate()


_KEY_SERVICE = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
key = serialization.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        digest = self.rfile.read(int(self.headers["content-length"]))
        signature = key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        self.send_response(200)
        self.send_header("content-length", str(len(signature)))
        self.end_headers()
        self.wfile.write(signature)
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
"""


def test_the_key_may_live_in_a_key_service(key_service, png, reader):
    check(key_service)
    data = ManifestWriter(key_service, MAKER).sign(png, "image/png", STAMP, SCHEME)
    assert require_trusted(reader.read(data, "image/png"), STAMP).state == "Trusted"


def test_the_hidden_disclosure_names_provider_system_version_time_and_id(signed):
    """What California's SB 942 wants in a latent disclosure, read by the library alone."""
    active, found = assertions(signed)
    (provider,) = active["claim_generator_info"]
    assert (provider["name"], provider["version"]) == ("Example Studio", "1.2.3")
    generation = found["presswork.generation"]
    assert (generation["model"], generation["model_revision"]) == (STAMP.model, STAMP.model_revision)
    assert found["c2pa.actions.v2"]["actions"][0]["when"] == "2026-11-20T12:00:00+00:00"
    assert generation["asset_id"] == STAMP.asset_id
