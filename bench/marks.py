"""Marks benchmark: cost and survival of the watermark, beside invisible-watermark's own dwtDctSvd, on one core.

python -m bench.marks            all tables, about five minutes; --quick: one size, fewer pictures, half a minute
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from imwatermark import WatermarkDecoder, WatermarkEncoder
from PIL import Image as Pillow

from bench.result import Ratio, parser, report
from policy.marks import nearest, payload, watermark, watermark_torch, xmp
from policy.marks.encode import MEDIA_TYPE, decode_png, encode_png
from policy.marks.marker import Marker
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.manifest import ManifestReader, ManifestWriter
from policy.marks.provenance.signing import LocalSigner
from policy.marks.renditions import RENDITIONS
from policy.marks.stamp import Maker, Stamp
from policy.marks.watermark import Image
from tests.support.pictures import BLACK, COLOURS, WHITE, flat, gradient, jpeg, product, resized, texture

ID = 0xABCDEF012345
MAKER = Maker("Presswork", "bench")
STAMP = Stamp("asset", ID, "model", "sha256:0", "sha256:0", datetime(2026, 1, 1, tzinfo=UTC), "log.example/ledger")


def library_mark(image: Image) -> Image:
    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", payload.encode(ID).tolist())
    written = encoder.encode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), "dwtDctSvd")
    return np.asarray(cv2.cvtColor(written, cv2.COLOR_BGR2RGB), np.uint8)


def library_read(image: Image) -> int | None:
    if image.shape[0] * image.shape[1] < 256 * 256:
        return None  # it refuses smaller pictures
    bits = WatermarkDecoder("bits", payload.CODE_BITS).decode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), "dwtDctSvd")
    found = payload.decode(np.array(bits, np.uint8))
    return found.watermark_id if found else None


def our_mark(image: Image) -> Image:
    return watermark.embed(image, ID, watermark.ladder(image)[0])


def our_read(image: Image) -> int | None:
    found = watermark.read(image)
    return found.watermark_id if found else None


def milliseconds(act: Callable[[], object], *, times: int = 5) -> float:
    """Processor time of this thread, the least of some runs: neighbours on the machine do not count."""
    taken = []
    for _ in range(times):
        started = time.thread_time()
        act()
        taken.append(time.thread_time() - started)
    return min(taken) * 1000


def ssim(one: Image, other: Image) -> float:
    """Mean structural similarity of luma, Gaussian window of 1.5 (Wang et al. 2004)."""
    a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (one, other))

    def blur(plane: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5))

    mean_a, mean_b = blur(a), blur(b)
    variance_a, variance_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((above / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean())


SIDES = (128, 512, 1024, 2048)


def speed(sides: Sequence[int]) -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        chain = make_development_chain(Path(folder))
        signer, anchors = LocalSigner.from_files(chain.certificate, chain.key), chain.anchors.read_text()
    columns = [stages(product(side, side), signer, anchors) for side in sides]
    print("Milliseconds a picture, one core      " + "".join(f"{side:>5} x {side:<5}" for side in sides))
    for name in columns[-1]:
        cells = (f"{column[name]:13.1f}" if name in column else " " * 13 for column in columns)
        print(f"  {name:<34}" + "".join(cells))
    last, size = columns[-1], f"{sides[-1]} x {sides[-1]}"
    library = last["library: watermark"]
    return [
        Ratio(f"the library's mark over ours, {size}", last["library / ours, watermark"]),
        Ratio(f"the library's read over ours, {size}", last["library / ours, read"]),
        Ratio(f"the library's mark over all of our marking, {size}", library / last["Marker.mark, all of it"]),
        Ratio(f"PNG by Pillow over ours, {size}", last["PNG by Pillow, its default"] / last["PNG"]),
    ]


def stages(image: Image, signer: LocalSigner, anchors: str) -> dict[str, float]:
    marker = Marker(signer, anchors, MAKER.name, MAKER.version)
    writer, reader, packet = ManifestWriter(signer, MAKER), ManifestReader(anchors), xmp.packet(STAMP, MAKER)
    marked = our_mark(image)
    png = encode_png(marked, packet)
    signed = writer.sign(png, MEDIA_TYPE, STAMP, "x")
    pillow = Pillow.fromarray(marked)
    taken = {
        "watermark": milliseconds(lambda: our_mark(image)),
        "PNG": milliseconds(lambda: encode_png(marked, packet)),
        "sign": milliseconds(lambda: writer.sign(png, MEDIA_TYPE, STAMP, "x")),
        "decode final bytes": milliseconds(lambda: decode_png(signed)),
        "read watermark": milliseconds(lambda: watermark.read(marked)),
        "read watermark, none there": milliseconds(lambda: watermark.read(image)),
        "check manifest": milliseconds(lambda: reader.read(signed, MEDIA_TYPE)),
        "Marker.mark, all of it": milliseconds(lambda: marker.mark(image, STAMP)),
        "PNG by Pillow, its default": milliseconds(lambda: pillow.save(io.BytesIO(), "PNG"), times=2),
    }
    if image.shape[0] >= 256:
        taken["library: watermark"] = milliseconds(lambda: library_mark(image), times=2)
        taken["library: read"] = milliseconds(lambda: library_read(image), times=2)
        taken["library / ours, watermark"] = taken["library: watermark"] / taken["watermark"]
        taken["library / ours, read"] = taken["library: read"] / taken["read watermark"]
    return taken


GROUNDS = {
    "product on white": product(1024, 1024),
    "product on teal": product(1024, 1024, ground=COLOURS["jeweller teal"]),
    "product on pure blue": product(1024, 1024, ground=COLOURS["blue"]),
    "texture": texture(1024, 1024),
    "gradient": gradient(1024, 1024),
    "flat white": flat(1024, 1024, WHITE),
    "flat orange": flat(1024, 1024, COLOURS["sports orange"]),
    "flat navy": flat(1024, 1024, COLOURS["navy"]),
}


def grounds() -> None:
    """The mark alone at 1024 x 1024, on what costs least and most, and in torch, which is for GPUs."""
    torch.set_num_threads(1)
    print("\nWatermark at 1024 x 1024, milliseconds   numpy   torch (CPU)   library   library / numpy")
    for name, image in GROUNDS.items():
        scheme = watermark.ladder(image)[0]
        pair = torch.from_numpy(np.stack([image, image]))
        ours = milliseconds(partial(our_mark, image), times=9)
        batch = milliseconds(partial(watermark_torch.embed, pair, [ID, ID], scheme), times=1) / 2
        theirs = milliseconds(partial(library_mark, image), times=2)
        print(f"  {name:<36} {ours:7.1f} {batch:13.1f} {theirs:9.1f} {theirs / ours:17.1f}")


def files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        chain = make_development_chain(Path(folder))
        signer, anchors = LocalSigner.from_files(chain.certificate, chain.key), chain.anchors.read_text()
    marker = Marker(signer, anchors, MAKER.name, MAKER.version)
    print("\nA file, marked, packed, signed, read back: milliseconds and KB more than the original alone")
    print(f"  {'':<14}" + "".join(f"{side:>8} x {side:<9}" for side in SIDES[:3]))
    for names in (("original",), *(("original", name) for name in RENDITIONS if name != "original"), tuple(RENDITIONS)):
        cells = []
        for side in SIDES[:3]:
            image = product(side, side)
            taken = milliseconds(partial(marker.mark_all, image, STAMP, names), times=3)
            alone = milliseconds(partial(marker.mark, image, STAMP), times=3) if names[1:] else 0
            size = sum(len(file.data) for file in marker.mark_all(image, STAMP, names)[bool(names[1:]) :])
            cells.append(f"{taken - alone:8.1f} {size / 1024:8.0f} KB")
        print(f"  {' + '.join(names[1:]) or 'original':<14}" + "".join(f"{cell:>20}" for cell in cells))


GROUPS: dict[str, list[Image]] = {
    "white 768": [product(768, 768, ground=WHITE, seed=seed) for seed in range(8)],
    "colour 768": [product(768, 768, ground=colour, seed=3) for colour in COLOURS.values()],
    "flat 512": [flat(512, 512, colour) for colour in COLOURS.values()],
    "texture 768": [*(texture(768, 512, seed=seed) for seed in range(8)), gradient(768, 768)],
    "small 256": [*(product(256, 256, ground=c, seed=5) for c in (WHITE, BLACK, COLOURS["navy"])), texture(256, 256)],
    "small 128": [*(product(128, 128, ground=c, seed=5) for c in (WHITE, BLACK, COLOURS["navy"])), texture(128, 128)],
}

CHANGES: dict[str, Callable[[Image], Image]] = {
    "as is": lambda image: image,
    "JPEG 90": lambda image: jpeg(image, 90),
    "JPEG 75": lambda image: jpeg(image, 75),
    "half": lambda image: resized(image, 0.5),
    "0.7": lambda image: resized(image, 0.7),
    "double": lambda image: resized(image, 2.0),
    "0.7+JPEG 90": lambda image: jpeg(resized(image, 0.7), 90),
}


def survival(few: int | None = None) -> list[Ratio]:
    """All groups, or the first `few` pictures of each that the library marks, too."""
    read, library = list[bool](), list[bool]()
    print("\nExact blind reads, per cent: ours / library" + " " * 12 + "dB, SSIM: ours | library")
    print(f"  {'':<12}" + "".join(f"{name:>13}" for name in CHANGES))
    for group, every in GROUPS.items():
        images = every[:few]
        ours = [our_mark(image) for image in images]
        theirs = [library_mark(image) for image in images] if images[0].shape[0] >= 256 else []
        cells = []
        for change in CHANGES.values():
            reads = [our_read(change(image)) == ID for image in ours]
            other_reads = [library_read(change(image)) == ID for image in theirs]
            mine, other = np.mean(reads), np.mean(other_reads) if theirs else None
            if theirs:
                read, library = [*read, *reads], [*library, *other_reads]
            cells.append(f"{100 * mine:4.0f} /" + (f"{100 * other:4.0f}" if other is not None else "   -"))
        print(
            f"  {group:<12}"
            + "".join(f"{cell:>13}" for cell in cells)
            + f"   {likeness(images, ours)} | {likeness(images, theirs)}"
        )
    return [Ratio("exact blind reads over the library's, all changes", sum(read) / max(1, sum(library)), 1.1)]


def informed() -> None:
    """Cut-outs that are laid back where they lay, as identification does: read with the record at hand."""
    chance = np.random.default_rng(1)
    others = [int(id) for id in chance.integers(0, 1 << payload.ID_BITS, 5000)]
    print("\nInformed reads among 5,001 ids, per cent: of a JPEG 75 of the cut-out laid back | of others laid there")
    scheme = watermark.SCHEMES[0]
    for kept in (1.0, 0.75, 0.5, 0.35, 0.25):
        right = wrong = 0
        pictures = [make(512, 512, seed=seed) for seed in range(20) for make in (product, texture)]
        for image in pictures:
            side = round(512 * kept**0.5)
            top, left = (int(place) for place in chance.integers(0, 512 - side + 1, 2))
            known = np.zeros((512, 512), np.uint8)
            known[top : top + side, left : left + side] = 1
            for copy, ours in ((jpeg(our_mark(image), 75), True), (image, False)):
                seen = np.where(known[..., None] > 0, copy, 128).astype(np.uint8)
                found = nearest.match(watermark.soft_bits(seen, scheme, known), [*others, ID])
                right += ours and found is not None and found.watermark_id == ID
                wrong += found is not None and (not ours or found.watermark_id != ID)
        print(f"  {100 * kept:3.0f} % of the area kept {100 * right / len(pictures):9.0f} | {wrong} of {len(pictures)}")


def main() -> None:
    asked = parser(__doc__).parse_args()
    cv2.setNumThreads(1)
    if asked.quick:
        report([*speed(SIDES[1:2]), *survival(1)], asked.json)
        return
    ratios = speed(SIDES)
    grounds()
    files()
    ratios += survival()
    informed()
    false_finds()
    report(ratios, asked.json)


def likeness(images: list[Image], marked: list[Image]) -> str:
    if not marked:
        return "-"
    psnr = np.mean([cv2.PSNR(a, b) for a, b in zip(images, marked, strict=True)])
    shift = max(cv2.norm(a, b, cv2.NORM_INF) for a, b in zip(images, marked, strict=True))
    likewise = np.mean([ssim(a, b) for a, b in zip(images, marked, strict=True)])
    return f"{psnr:.1f} dB, {likewise:.4f}, at most {shift:.0f} levels"


def false_finds(pictures: int = 2000) -> None:
    found = sum(our_read(texture(200, 160, seed=seed)) is not None for seed in range(pictures // 2))
    found += sum(our_read(product(200, 160, seed=seed)) is not None for seed in range(pictures // 2))
    print(f"\nMarks found in {pictures} unmarked pictures: {found} (by design 6e-10 a picture)")


if __name__ == "__main__":
    main()
