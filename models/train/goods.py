"""Goods that the model learns to generate: by name, plural and synonym, and the cut-outs that show them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """Shelves of the catalogue."""

    FOOD = "food"
    CLOTHES = "clothes"
    DEVICES = "devices"
    FURNITURE = "furniture"
    HOUSEHOLD = "household"
    LEISURE = "leisure"


@dataclass(frozen=True, slots=True)
class Good:
    """One kind of thing. `emoji` is its code point in hexadecimal, `flat` its name in the flat set."""

    name: str
    group: Group
    emoji: str
    flat: str
    plural: str = ""
    synonyms: tuple[str, ...] = ()
    recolour: bool = False  # its main hue may be turned to any of COLOURS
    tilts: bool = False  # seen upright and leaning: what lies or is held in a hand
    always_plural: bool = False  # "jeans": no article

    @property
    def nouns(self) -> tuple[str, ...]:
        return (self.name, *self.synonyms)

    @property
    def plurals(self) -> tuple[str, ...]:
        return () if self.always_plural else (self.plural or f"{self.name}s",)


def _food(name: str, emoji: str, flat: str = "", **more: object) -> Good:
    return Good(name, Group.FOOD, emoji, flat or name.replace(" ", "-"), tilts=True, **more)  # type: ignore[arg-type]


GOODS: tuple[Good, ...] = (
    _food("apple", "1f34e", "red-apple"),
    _food("banana", "1f34c"),
    _food("strawberry", "1f353", plural="strawberries"),
    _food("watermelon", "1f349", synonyms=("slice of watermelon",)),
    _food("lemon", "1f34b"),
    _food("pineapple", "1f34d"),
    _food("carrot", "1f955"),
    _food("avocado", "1f951"),
    _food("croissant", "1f950"),
    _food("hamburger", "1f354", synonyms=("burger", "cheeseburger")),
    _food("pizza", "1f355", synonyms=("slice of pizza", "pizza slice")),
    _food("hot dog", "1f32d", synonyms=("hotdog",)),
    _food("doughnut", "1f369", synonyms=("donut",)),
    _food("cookie", "1f36a", synonyms=("biscuit",)),
    _food("cupcake", "1f9c1", synonyms=("muffin",)),
    _food("ice cream", "1f366", "soft-ice-cream", synonyms=("soft serve", "ice cream cone")),
    _food("popcorn", "1f37f", synonyms=("bucket of popcorn",)),
    Good("cup of coffee", Group.FOOD, "2615", "hot-beverage", "cups of coffee",
         ("coffee", "coffee cup", "mug of coffee", "coffee mug")),
    Good("teapot", Group.FOOD, "1fad6", "teapot", synonyms=("tea pot",)),
    Good("wine glass", Group.FOOD, "1f377", "wine-glass", "wine glasses", ("glass of wine", "red wine")),
    Good("t-shirt", Group.CLOTHES, "1f455", "t-shirt", synonyms=("tee", "shirt", "tshirt"), recolour=True),
    Good("jeans", Group.CLOTHES, "1f456", "jeans", synonyms=("trousers", "pants"), recolour=True, always_plural=True),
    Good("dress", Group.CLOTHES, "1f457", "dress", "dresses", ("gown",), recolour=True),
    Good("sneaker", Group.CLOTHES, "1f45f", "running-shoe", synonyms=("running shoe", "trainer", "sports shoe"),
         tilts=True),
    Good("high heel", Group.CLOTHES, "1f460", "high-heeled-shoe", synonyms=("high-heeled shoe", "stiletto"),
         recolour=True),
    Good("boot", Group.CLOTHES, "1f97e", "hiking-boot", synonyms=("hiking boot",), tilts=True),
    Good("handbag", Group.CLOTHES, "1f45c", "handbag", synonyms=("purse", "bag"), recolour=True),
    Good("backpack", Group.CLOTHES, "1f392", "backpack", synonyms=("rucksack", "school bag"), recolour=True),
    Good("cap", Group.CLOTHES, "1f9e2", "billed-cap", synonyms=("baseball cap",), recolour=True, tilts=True),
    Good("top hat", Group.CLOTHES, "1f3a9", "top-hat", synonyms=("hat",)),
    Good("glasses", Group.CLOTHES, "1f453", "glasses", synonyms=("spectacles", "eyeglasses"), always_plural=True),
    Good("necktie", Group.CLOTHES, "1f454", "necktie", synonyms=("tie", "shirt and tie"), recolour=True),
    Good("scarf", Group.CLOTHES, "1f9e3", "scarf", "scarves", recolour=True),
    Good("gloves", Group.CLOTHES, "1f9e4", "gloves", synonyms=("mittens",), recolour=True, always_plural=True),
    Good("watch", Group.CLOTHES, "231a", "watch", "watches", ("wristwatch", "wrist watch"), tilts=True),
    Good("phone", Group.DEVICES, "1f4f1", "mobile-phone", synonyms=("smartphone", "mobile phone", "cell phone"),
         tilts=True),
    Good("laptop", Group.DEVICES, "1f4bb", "laptop", synonyms=("notebook computer", "laptop computer")),
    Good("camera", Group.DEVICES, "1f4f7", "camera", synonyms=("photo camera",)),
    Good("headphones", Group.DEVICES, "1f3a7", "headphone", synonyms=("headset",), always_plural=True),
    Good("television", Group.DEVICES, "1f4fa", "television", synonyms=("tv", "tv set")),
    Good("radio", Group.DEVICES, "1f4fb", "radio"),
    Good("game controller", Group.DEVICES, "1f3ae", "video-game", synonyms=("gamepad", "controller"), tilts=True),
    Good("alarm clock", Group.DEVICES, "23f0", "alarm-clock", synonyms=("clock",), recolour=True),
    Good("light bulb", Group.DEVICES, "1f4a1", "light-bulb", synonyms=("lightbulb", "bulb"), tilts=True),
    Good("chair", Group.FURNITURE, "1fa91", "chair", synonyms=("wooden chair",)),
    Good("sofa", Group.FURNITURE, "1f6cb", "couch-and-lamp", synonyms=("couch", "settee"), recolour=True),
    Good("bed", Group.FURNITURE, "1f6cf", "bed"),
    Good("bathtub", Group.FURNITURE, "1f6c1", "bathtub", synonyms=("bath", "tub")),
    Good("basket", Group.HOUSEHOLD, "1f9fa", "basket", synonyms=("wicker basket",)),
    Good("bucket", Group.HOUSEHOLD, "1faa3", "bucket", synonyms=("pail",)),
    Good("candle", Group.HOUSEHOLD, "1f56f", "candle"),
    Good("box", Group.HOUSEHOLD, "1f4e6", "package", "boxes", ("package", "cardboard box", "parcel")),
    Good("umbrella", Group.HOUSEHOLD, "2602", "umbrella", synonyms=("parasol",), recolour=True),
    Good("key", Group.HOUSEHOLD, "1f511", "key", tilts=True),
    Good("book", Group.HOUSEHOLD, "1f4d5", "closed-book", recolour=True, tilts=True),
    Good("gift", Group.HOUSEHOLD, "1f381", "wrapped-gift", synonyms=("gift box", "present")),
    Good("suitcase", Group.HOUSEHOLD, "1f9f3", "luggage", synonyms=("luggage", "trolley case"), recolour=True),
    Good("potted plant", Group.HOUSEHOLD, "1fab4", "potted-plant", synonyms=("plant", "house plant")),
    Good("cactus", Group.HOUSEHOLD, "1f335", "cactus", "cacti"),
    Good("teddy bear", Group.HOUSEHOLD, "1f9f8", "teddy-bear", synonyms=("teddy", "plush bear")),
    Good("guitar", Group.LEISURE, "1f3b8", "guitar", synonyms=("electric guitar",), recolour=True, tilts=True),
    Good("balloon", Group.LEISURE, "1f388", "balloon", recolour=True),
    Good("soccer ball", Group.LEISURE, "26bd", "soccer-ball", synonyms=("football",)),
    Good("car", Group.LEISURE, "1f697", "automobile", synonyms=("automobile",), recolour=True),
)  # fmt: skip

BY_NAME = {good.name: good for good in GOODS}

# Hue in degrees of each colour an object can be given.
COLOURS = {"red": 2, "yellow": 48, "green": 122, "blue": 214, "purple": 272, "pink": 330}

BACKGROUNDS = {
    "white": (250, 250, 250),
    "light gray": (205, 208, 212),
    "black": (24, 24, 28),
    "red": (214, 48, 49),
    "orange": (245, 146, 52),
    "yellow": (250, 211, 64),
    "green": (60, 166, 92),
    "mint": (168, 228, 200),
    "light blue": (150, 206, 245),
    "blue": (45, 108, 223),
    "navy": (22, 36, 84),
    "teal": (20, 134, 138),
    "purple": (124, 72, 190),
    "pink": (250, 170, 198),
    "beige": (232, 214, 186),
    "brown": (120, 78, 48),
}
