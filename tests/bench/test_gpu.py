"""GPU benchmark in its smoke mode: every row is there. What a GPU would say is not seen here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.gpu.__main__ import main
from bench.result import read


def test_every_row_is_measured_or_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--smoke", "--json", str(tmp_path / "ratios.json")])
    said = capsys.readouterr().out
    names = {ratio.name for ratio in read(tmp_path / "ratios.json")}
    for model in ("SD 1.5", "SDXL", "DiT-XL/2"):
        for engine in ("engine", "engine, compiled") if model == "SDXL" else ("engine",):
            assert {f"{model}: {engine} over plain diffusers", f"{model}: {engine}, share of the matrix rate"} <= names
    switches = {
        *("channels_last", "attention cudnn", "attention flash", "attention efficient", "float32 autoencoder"),
        *("autoencoder by pictures", "autoencoder in tiles", "compiled blocks"),
    }
    assert {f"{name}, on over off" for name in switches} <= names
    assert {"lock held", "4 steps, lock held", "4 steps, device busy"} <= names
    assert said.count("not measured: the smoke mode compiles SDXL alone") == 2
    assert said.count("not measured: only CUDA has it") == said.count("pinned memory") == 1
    assert said.count("not measured") == 3
    assert "TFLOP a picture, at the matrix rate" in said
    assert "PSNR" in said


def test_without_a_device_it_says_how_to_see_it_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="--smoke"):
        main([])


def test_a_row_without_time_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is reported of it, rather than a figure of no run."""
    with pytest.raises(SystemExit, match="no ratio"):
        main(["--smoke", "--minutes", "0"])
    assert capsys.readouterr().out.count("no time left") > 10
