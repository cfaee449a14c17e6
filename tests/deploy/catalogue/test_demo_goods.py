"""Demo catalogue: its file is in order, each row has its photo, and each photo is one product inside its border."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.commands.catalogue.file import CatalogueFile, read_file
from deploy.demo.goods.photos import write_goods


def test_the_demo_writes_forty_goods_with_a_photo_each_the_same_every_time(tmp_path: Path) -> None:
    file = write_goods(tmp_path)
    assert isinstance(read_file(file), CatalogueFile)
    with (tmp_path / "goods.csv").open(newline="") as feed:
        rows = list(csv.DictReader(feed))
    assert len({row["sku"] for row in rows}) == len({row["photo"] for row in rows}) == 40
    for row in rows[::5]:
        alpha = np.asarray(Image.open(tmp_path / row["photo"]))[..., 3]
        assert 0.1 < (alpha > 0).mean() < 0.6
        edges = alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]
        assert not any(edge.any() for edge in edges)
    before = (tmp_path / rows[0]["photo"]).read_bytes()
    write_goods(tmp_path)
    assert (tmp_path / rows[0]["photo"]).read_bytes() == before
