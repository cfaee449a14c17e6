"""List of the copies of bench.copies: name, group, function. The world's, not ours: none was chosen for its result."""

from __future__ import annotations

from collections.abc import Mapping

from bench.pictures.copies import colours, layouts, losses
from bench.pictures.copies.colours import Attack

# Copies that need an object on a plain ground. Other pictures are not asked.
NEEDS_OBJECT = ("cut out on white", "cut out on a colour", "cut out on a scene", "object on a banner")

_COLOURS: Mapping[str, Attack] = {
    "sepia": colours.mixed([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]),
    "warm tint": colours.mixed([[1.12, 0, 0], [0, 1.0, 0], [0, 0, 0.82]]),
    "cold tint": colours.mixed([[0.82, 0, 0], [0, 0.98, 0], [0, 0, 1.12]]),
    "green cast": colours.mixed([[0.85, 0.05, 0], [0.05, 1.05, 0.05], [0, 0.05, 0.85]]),
    "magenta cast": colours.curved(0.85, 1.25, 0.9),
    "channel gammas": colours.curved(1.3, 0.9, 0.75),
    "hue +15": colours.hue(15),
    "hue -40": colours.hue(-40),
    "hue +120": colours.hue(120),
    "saturation 0.3": colours.saturation(0.3),
    "saturation 0.6": colours.saturation(0.6),
    "saturation 1.8": colours.saturation(1.8),
    "duotone blue and cream": colours.inked((20, 30, 110), (250, 240, 215)),
    "duotone red and white": colours.inked((150, 10, 30), (255, 255, 255)),
    "inverted": colours.inverted,
    "dark mode": colours.dark_mode,
    "adobe rgb untagged": colours.adobe_untagged,
    "posterised to 6 levels": colours.posterised(6),
    "faded": colours.faded,
    "cross processed": colours.cross_processed,
    "red and blue exchanged": colours.channels_exchanged,
    "local contrast": colours.equalised,
    "negative film": colours.mixed([[-0.9, 0, 0], [0, -0.75, 0], [0, 0, -0.6]], 240),
    "sepia and jpeg 50": losses.chained(
        colours.mixed([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]),
        losses.saved("JPEG", quality=50),
    ),
}
_LAYOUTS: Mapping[str, Attack] = {
    "cut out on white": layouts.on_ground("white"),
    "cut out on a colour": layouts.on_ground("colour"),
    "cut out on a scene": layouts.on_ground("scene"),
    "object on a banner": layouts.object_smaller,
    "1 sticker": layouts.stickers(1),
    "5 stickers": layouts.stickers(5),
    "12 stickers": layouts.stickers(12),
    "round avatar": layouts.avatar,
    "collage of 4": layouts.collage(2, 2),
    "collage of 9": layouts.collage(3, 3),
    "transparent strip": layouts.strip(0.18, 0.5),
    "opaque strip": layouts.strip(0.15, 1.0),
    "stock agency's words": layouts.tiled_words,
    "print in a frame": layouts.framed,
    "story on its own blur": layouts.story,
    "round corners": layouts.rounded,
    "black bars": layouts.letterbox,
    "stickers and jpeg 60": losses.chained(layouts.stickers(4), losses.saved("JPEG", quality=60)),
}
_LOSSES: Mapping[str, Attack] = {
    "jpeg 15": losses.saved("JPEG", quality=15),
    "jpeg 8": losses.saved("JPEG", quality=8),
    "webp 20": losses.saved("WEBP", quality=20),
    "avif 30": losses.saved("AVIF", quality=30),
    "jpeg 2000, 40 to 1": losses.saved("JPEG2000", quality_mode="rates", quality_layers=[40]),
    "gif of 256 colours": losses.gif(256),
    "gif of 32 colours": losses.gif(32),
    "tiff": losses.saved("TIFF"),
    "bmp": losses.saved("BMP"),
    "screen photo with moire": losses.screen_photo,
    "rotated 33 on white": losses.rotated(33),
    "rotated -12 on white": losses.rotated(-12),
    "crop to the left half": losses.crop(0, 0, 0.5, 1),
    "crop to the upper third": losses.crop(0, 0, 1, 0.34),
    "crop 30%": losses.crop_anywhere(0.3),
    "crop 15%": losses.crop_anywhere(0.15),
    "thumbnail of 160": losses.longest(160),
    "thumbnail of 96": losses.longest(96),
    "stretched 1.4": losses.stretched(1.4),
    "vignette": losses.vignette,
    "light leak": losses.light_leak,
    "sharpened": losses.sharpened,
    "median 5": losses.median,
    "halftone": losses.halftone,
    "half, jpeg 40, half again": losses.chained(
        losses.longest(400), losses.saved("JPEG", quality=40), losses.longest(220), losses.saved("JPEG", quality=60)
    ),
}
GROUPS: Mapping[str, Mapping[str, Attack]] = {"colours": _COLOURS, "layouts": _LAYOUTS, "losses": _LOSSES}
COPIES: Mapping[str, Attack] = {name: attack for group in GROUPS.values() for name, attack in group.items()}
