"""Keys and certificates: what is wrong with them shows before anything is signed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from policy.errors import SigningUnavailable
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.signing import LocalSigner, check, check_dates


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate(key, *, begins, ends):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now + begins).not_valid_after(now + ends).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_the_development_chain_signs(tmp_path):
    chain = make_development_chain(tmp_path / "marks")
    check(LocalSigner.from_files(chain.certificate, chain.key))


def test_only_its_owner_can_read_the_key(tmp_path):
    assert make_development_chain(tmp_path).key.stat().st_mode & 0o077 == 0


def test_a_finished_chain_is_left_alone(tmp_path):
    chain = make_development_chain(tmp_path)
    before = [path.read_bytes() for path in (chain.certificate, chain.key, chain.anchors)]
    assert make_development_chain(tmp_path) == chain
    assert [path.read_bytes() for path in (chain.certificate, chain.key, chain.anchors)] == before


def test_a_chain_that_was_half_made_is_made_anew(tmp_path):
    chain = make_development_chain(tmp_path)
    chain.certificate.unlink()
    chain.key.with_name("signing.key.half").write_bytes(b"left by a death")
    make_development_chain(tmp_path)
    check(LocalSigner.from_files(chain.certificate, chain.key))


def test_many_first_starts_at_once_agree_on_one_chain(tmp_path):
    with ThreadPoolExecutor(6) as pool:
        chains = list(pool.map(lambda _: make_development_chain(tmp_path), range(6)))
    check(LocalSigner.from_files(chains[0].certificate, chains[0].key))


def test_a_key_of_another_certificate_is_found_before_it_signs(tmp_path):
    one, other = make_development_chain(tmp_path / "one"), make_development_chain(tmp_path / "other")
    with pytest.raises(SigningUnavailable, match="does not belong to the certificate"):
        LocalSigner.from_files(one.certificate, other.key)


@pytest.mark.parametrize(
    ("begins", "ends", "says"),
    [(timedelta(days=-2), timedelta(days=-1), "expired on"), (timedelta(days=1), timedelta(days=2), "valid only from")],
)
def test_a_certificate_out_of_its_time_is_refused(begins, ends, says):
    key = ec.generate_private_key(ec.SECP256R1())
    signer = LocalSigner(certificate(key, begins=begins, ends=ends), key)
    with pytest.raises(SigningUnavailable, match=says):
        check_dates(signer)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_both_curves_sign(curve):
    key = ec.generate_private_key(curve)
    check(LocalSigner(certificate(key, begins=timedelta(0), ends=timedelta(1)), key))


def test_files_that_are_missing_or_hold_something_else_are_named(tmp_path):
    chain = make_development_chain(tmp_path)
    other = tmp_path / "other.pem"
    cases = [
        (tmp_path / "none.pem", chain.key, "none.pem"),
        (chain.certificate, tmp_path / "none.key", "none.key"),
        (chain.certificate, chain.anchors, "anchors.pem is not an unencrypted private key"),
        (chain.key, chain.key, "certificate chain"),
    ]
    for certificate_file, key_file, says in cases:
        with pytest.raises(SigningUnavailable, match=says):
            LocalSigner.from_files(certificate_file, key_file)
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP521R1())):
        other.write_bytes(pem(key))
        with pytest.raises(SigningUnavailable, match="P-256"):
            LocalSigner.from_files(chain.certificate, other)
