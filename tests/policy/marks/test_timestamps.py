"""Time stamps: a signature that outlives its certificate, and nothing leaves without one where one is asked for."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from policy.errors import ManifestInvalid, SigningUnavailable
from policy.marks.marker import Marker
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.manifest import ManifestReader, ManifestWriter
from policy.marks.provenance.signing import LocalSigner
from policy.marks.renditions import RENDITIONS
from policy.marks.stamp import Maker
from tests.policy.marks.test_renditions import STAMP
from tests.support.pictures import product
from tests.support.timestamps import open_authority

IMAGE = product(256, 256)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def signer(chain):
    return LocalSigner.from_files(chain.certificate, chain.key)


@pytest.fixture
def authority():
    with open_authority() as opened:
        yield opened


def marker(signer, anchors, url):
    return Marker(signer, anchors, "Presswork", "0.1.0", timestamp_url=url)


def test_every_format_carries_a_trusted_time(signer, chain, authority):
    anchors = chain.anchors.read_text() + authority.root
    before = datetime.now(UTC).replace(microsecond=0)
    for file in marker(signer, anchors, authority.url).mark_all(IMAGE, STAMP, tuple(RENDITIONS)):
        manifest = ManifestReader(anchors).read(file.data, file.media_type)
        assert manifest.timestamp_trusted
        assert before <= datetime.fromisoformat(manifest.timestamp) <= datetime.now(UTC)
        assert file.evidence["manifest"]["timestamp"] == manifest.timestamp
    assert len(authority.asked) == len(RENDITIONS)


def test_the_authority_sees_digests_and_no_picture(signer, chain, authority):
    marker(signer, chain.anchors.read_text() + authority.root, authority.url).mark(IMAGE, STAMP)
    (request,) = authority.asked
    assert len(request) < 120


def test_without_the_setting_nobody_is_asked(signer, chain, authority):
    file = marker(signer, chain.anchors.read_text() + authority.root, "").mark(IMAGE, STAMP)
    assert authority.asked == []
    assert "timestamp" not in file.evidence["manifest"]


@pytest.mark.parametrize("manner", ["refuse", "lie"])
def test_an_authority_that_refuses_or_lies_makes_the_picture_wait(signer, chain, authority, manner):
    authority.manner = manner
    with pytest.raises(SigningUnavailable, match="could not be signed"):
        marker(signer, chain.anchors.read_text() + authority.root, authority.url).mark(IMAGE, STAMP)


def test_an_authority_that_does_not_answer_makes_the_picture_wait(signer, chain):
    with open_authority() as closed:
        url = closed.url
    with pytest.raises(SigningUnavailable, match=url):
        marker(signer, chain.anchors.read_text(), url).mark(IMAGE, STAMP)


def test_a_stamp_of_an_authority_that_we_do_not_trust_does_not_count(signer, chain, authority):
    with pytest.raises(ManifestInvalid, match="not among the trust anchors"):
        marker(signer, chain.anchors.read_text(), authority.url).mark(IMAGE, STAMP)


def _short_lived(seconds):
    """A root and a signer whose certificate ends in so many seconds."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A root"), _common("root")])
    made = []
    for number, key in enumerate(keys):
        leaf = number == 1
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
        )
        builder = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(
                x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A maker"), _common("leaf")])
                if leaf
                else issuer
            )
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + (timedelta(seconds=seconds) if leaf else timedelta(days=1)))
            .add_extension(x509.BasicConstraints(ca=not leaf, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=leaf, key_cert_sign=not leaf, encipher_only=False, decipher_only=False, **usage
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        if leaf:
            purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purposes, critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())
    return LocalSigner(made[1] + made[0], keys[1]), made[0]


def _common(name):
    return x509.NameAttribute(NameOID.COMMON_NAME, name)


def test_a_stamped_signature_outlives_its_certificate_and_another_does_not(authority):
    seconds = 3
    signer, root = _short_lived(seconds)
    ends = time.monotonic() + seconds
    anchors = root + authority.root
    picture = marker(signer, anchors, "").mark(IMAGE, STAMP).data
    writer = ManifestWriter(signer, Maker("Presswork", "0.1.0"), timestamp_url=authority.url)
    stamped = writer.sign(picture, "image/png", STAMP, "dwtDctSvd-256/36")
    reader = ManifestReader(anchors)
    assert [reader.read(file, "image/png").state for file in (picture, stamped)] == ["Trusted", "Trusted"]
    time.sleep(max(0, ends - time.monotonic()) + 1)  # until the certificate has ended: a fact, not a guess
    assert reader.read(picture, "image/png").state == "Invalid"
    assert reader.read(stamped, "image/png").state == "Trusted"
