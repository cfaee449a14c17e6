"""Foreign pictures: a clear answer for anything."""

from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from deploy.commands.marks import marks
from policy.errors import PictureUnreadable
from policy.intake.picture import MAX_BYTES, Picture
from policy.marks import xmp
from policy.marks.encode import encode_png
from policy.marks.inspect import inspect, marks_of
from policy.marks.marker import Marker, Stamp
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.manifest import ManifestReader
from policy.marks.provenance.signing import LocalSigner
from policy.marks.renditions import RENDITIONS
from policy.marks.stamp import Maker
from tests.support.pictures import product

ID = 0x0123456789AB


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def files(chain):
    stamp = Stamp("asset-1", ID, "studio", "sha256:1", "sha256:2", datetime(2026, 11, 20, tzinfo=UTC), "log.example")
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    marker = Marker(signer, chain.anchors.read_text(), "Presswork", "0.1.0")
    return marker.mark_all(product(512, 512), stamp, tuple(RENDITIONS))


@pytest.fixture(scope="module")
def marked(files):
    return files[0].data


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "kind",
    [
        ("PNG", {}),
        ("JPEG", {"quality": 90}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 90}),
        ("AVIF", {"quality": 80}),
    ],
)
def test_a_copy_in_another_format_keeps_the_watermark_and_loses_the_manifest(marked, kind):
    copy = saved(Pillow.open(io.BytesIO(marked)), kind[0], **kind[1])
    seen = inspect(copy)
    assert seen.manifest is None
    assert seen.watermark.watermark_id == ID


def test_other_pixel_modes_are_read(marked):
    picture = Pillow.open(io.BytesIO(marked))
    for mode, kind in (("RGBA", "PNG"), ("L", "PNG"), ("P", "PNG"), ("1", "PNG"), ("I;16", "PNG"), ("CMYK", "JPEG")):
        converted = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
        assert inspect(saved(converted, kind)).width == 512


def test_a_picture_of_one_pixel_is_read_and_carries_nothing():
    seen = inspect(saved(Pillow.new("RGB", (1, 1)), "PNG"))
    assert (seen.manifest, seen.watermark, seen.xmp) == (None, None, {})


def bomb(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\x00" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize("size", [(20_000, 20_000), (8_001, 8_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_header(size):
    with pytest.raises(PictureUnreadable):
        inspect(bomb(*size))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + b"\x00" * 50,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"II*\x00" + b"\x00" * 50,
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00",
    ],
)
def test_anything_but_a_whole_picture_of_four_formats_is_refused(content):
    with pytest.raises(PictureUnreadable):
        inspect(content)


def test_a_file_over_the_limit_is_not_opened():
    with pytest.raises(PictureUnreadable, match="bytes"):
        inspect(b"\x00" * (MAX_BYTES + 1))


def damaged(source, times):
    chance = np.random.default_rng(3)
    for _ in range(times):
        copy = bytearray(source)
        for place in chance.integers(0, len(copy), 3):
            copy[place] = chance.integers(0, 256)
        yield bytes(copy)


def test_truncated_and_damaged_files_get_an_answer(marked):
    """Half a picture or a changed byte is an Inspection or PictureUnreadable, nothing else, and never trusted."""
    small = saved(Pillow.open(io.BytesIO(marked)).resize((64, 64)), "PNG")
    copies = [saved(Pillow.open(io.BytesIO(small)), kind) for kind in ("PNG", "JPEG", "WEBP", "AVIF")]
    cut = [marked[:length] for length in range(0, len(marked), len(marked) // 10)]
    for content in (*cut, *(content for copy in copies for content in damaged(copy, 8))):
        try:
            seen = inspect(content)
        except PictureUnreadable:
            continue
        assert seen.manifest is None or seen.manifest.state == "Invalid"


def test_a_damaged_manifest_is_an_answer_in_every_format(files):
    """The manifest is read in this process, so its library must stand whatever a file holds."""
    reader = ManifestReader("")
    for file in files:
        start = max(file.data.find(b"jumb"), 0)
        store = slice(start, start + 3000)
        for changed in damaged(file.data[store], 150):
            read = reader.read(file.data[: store.start] + changed + file.data[store.stop :], file.media_type)
            assert read is None or read.state in ("Invalid", "Valid")  # Valid: the bytes fell on the same values


def test_a_manifest_of_ours_on_a_changed_picture_is_invalid(marked, chain):
    end = marked.index(b"IEND") - 4
    broken = marked[:end] + b"\x00\x00\x00\x01tEXta\xe8\xb7\xbeC" + marked[end:]
    assert inspect(broken, chain.anchors.read_text()).manifest.state == "Invalid"


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<x:xmpmeta",
        b"\xff\xfe<\x00a\x00",
        b"<a>" * 20_000,
        b" " * 100_000,
    ],
)
def test_hostile_xmp_says_nothing(packet):
    assert xmp.properties(packet) == {}
    assert inspect(encode_png(product(64, 64), packet)).xmp == {}


def test_properties_written_as_attributes_are_read_too():
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Pencil"/></rdf:RDF></x:xmpmeta>'
    )
    assert xmp.properties(packet) == {"xmp:CreatorTool": "Pencil"}


def test_the_command_tells_what_a_file_says(marked, chain, tmp_path):
    file = tmp_path / "a picture.png"
    file.write_bytes(marked)
    told = CliRunner().invoke(marks, ["read", str(file), "--anchors", str(chain.anchors), "--reference"])
    assert told.exit_code == 0, told.output
    for expected in ("Trusted", "asset-1", "watermark  0123456789ab", "library    0123456789ab", "studio"):
        assert expected in told.output


def test_the_command_reads_every_format_that_we_write(files, chain, tmp_path):
    paths = []
    for made in files:
        paths.append(tmp_path / f"{made.name}.bin")
        paths[-1].write_bytes(made.data)
    told = CliRunner().invoke(marks, ["read", "--json", *map(str, paths), "--anchors", str(chain.anchors)])
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [one["media_type"] for one in found] == list(RENDITIONS.values())
    assert {one["manifest"]["state"] for one in found} == {"Trusted"}
    assert {one["manifest"]["asset_id"] for one in found} == {one["xmp"]["dc:identifier"] for one in found}
    assert {one["watermark"]["id"] for one in found} == {"0123456789ab"}


def test_the_command_fails_on_a_manifest_that_is_not_that_of_these_bytes(marked, chain, tmp_path):
    """A script that asks for the exit status was told that all is well."""
    sound, edited, bare = (tmp_path / f"{name}.png" for name in ("sound", "edited", "bare"))
    end = marked.index(b"IEND") - 4
    sound.write_bytes(marked)
    edited.write_bytes(marked[:end] + b"\x00\x00\x00\x01tEXta\xe8\xb7\xbeC" + marked[end:])
    bare.write_bytes(encode_png(product(64, 64), b""))
    for file, status in ((sound, 0), (bare, 0), (edited, 1)):
        told = CliRunner().invoke(marks, ["read", str(file), "--anchors", str(chain.anchors)])
        assert told.exit_code == status, told.output


def test_the_command_names_the_file_it_cannot_read_and_goes_on(marked, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(marked)
    bad.write_bytes(b"nothing")
    told = CliRunner().invoke(marks, ["read", "--json", str(bad), str(tmp_path / "none.png"), str(good)])
    assert told.exit_code == 1
    assert "bad.png: the file is no PNG" in told.stderr
    assert "none.png" in told.stderr
    assert '"id": "0123456789ab"' in told.stdout


def test_a_foreign_label_cannot_steer_the_terminal(tmp_path):
    packet = xmp.packet(
        Stamp("\x9b31mred\u202e", 1, "m", "r", "p", datetime(2026, 1, 1, tzinfo=UTC), "l"), Maker("a", "b")
    )
    file = tmp_path / "picture.png"
    file.write_bytes(encode_png(product(64, 64), packet))
    told = CliRunner().invoke(marks, ["read", str(file)])
    assert "?31mred?" in told.output


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"frames": 3}, "first of 3 frames"),
        ({"mode": "I;16"}, "stored as I;16"),
        ({"mode": "CMYK"}, "stored as CMYK"),
        ({"mode": "P", "transparent": True}, "laid on white"),
        ({"orientation": None}, "taken as upright"),
        ({"trailing_bytes": 4_096}, "4,096 bytes stand behind"),
        ({"pixels": np.zeros((63, 200, 3), np.uint8), "height": 63}, "below 64 pixels"),
    ],
)
def test_what_is_odd_about_a_file_is_said_in_words(changed: dict[str, object], said: str) -> None:
    plain = Picture(np.zeros((200, 200, 3), np.uint8), "image/bmp", 200, 200, "RGB", 1, 1, False, 0, b"")
    assert marks_of(plain, b"", ManifestReader("")).notes == ()
    found = marks_of(replace(plain, **changed), b"", ManifestReader(""))
    assert any(said in each for each in found.notes)
