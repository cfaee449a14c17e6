"""Licence check: what it reads, what it lets through, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.licences import ROOT, Allowed, Terms, all_installed, load_allowed, problems, terms_of


class Site:
    """A folder of installed distributions, as pip would leave them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.add(ROOT, "License-Expression: Apache-2.0")

    def add(self, name: str, *lines: str, files: dict[str, str] | None = None) -> None:
        home = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        home.mkdir(exist_ok=True)
        (home / "METADATA").write_text(
            "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""])
        )
        for path, content in (files or {}).items():
            (self.folder / path).parent.mkdir(exist_ok=True, parents=True)
            (self.folder / path).write_text(content)
        (home / "RECORD").write_text("".join(f"{path},,\n" for path in files or {}))

    def requires(self, *requirements: str) -> None:
        self.add(
            ROOT,
            "License-Expression: Apache-2.0",
            "Provides-Extra: embedded",
            *(f"Requires-Dist: {requirement}" for requirement in requirements),
        )

    def problems(self, **allowed: Allowed) -> list[str]:
        return problems(all_installed([str(self.folder)]), allowed)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_nothing_that_is_installed_here_is_undecided() -> None:
    assert problems(all_installed(), load_allowed()) == []


def test_every_decision_gives_its_reason() -> None:
    assert all(len(decision.reason) > 20 for decision in load_allowed().values())


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        ("MIT", Terms.PERMISSIVE),
        ("Apache-2.0 WITH LLVM-exception", Terms.PERMISSIVE),
        ("MIT OR GPL-3.0-only", Terms.PERMISSIVE),
        ("MIT AND MPL-2.0", Terms.FILE),
        ("LGPL-3.0-only", Terms.LIBRARY),
        ("GPL-3.0 WITH GCC-exception-3.1", Terms.LIBRARY),
        ("BSD-3-Clause AND GPL-2.0-or-later", Terms.STRONG),
        ("AGPL-3.0", Terms.STRONG),
        ("LicenseRef-Proprietary", Terms.UNKNOWN),
        ("(MIT OR GPL-3.0) AND ISC", Terms.UNKNOWN),
    ],
)
def test_an_expression_asks_what_its_strictest_unavoidable_part_asks(expression: str, terms: Terms) -> None:
    assert terms_of(expression) is terms


def test_a_permissive_requirement_passes(site: Site) -> None:
    site.requires("good")
    site.add("good", "Classifier: License :: OSI Approved :: MIT License")
    assert site.problems() == []


def test_a_licence_nobody_knows_fails_with_its_remedy(site: Site) -> None:
    site.requires("strange")
    site.add("strange", "License: as is")
    (said,) = site.problems()
    assert said.startswith("strange: as is (License) is not a licence that this check knows. Remedy: read its licence")


def test_a_distribution_that_names_no_licence_fails(site: Site) -> None:
    site.requires("silent")
    site.add("silent", "Classifier: License :: OSI Approved")
    assert "silent: nothing (License)" in site.problems()[0]


def test_a_licence_file_is_believed_more_than_the_metadata(site: Site) -> None:
    site.requires("claims-mit")
    text = "                    GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3, 19 November 2007\n"
    site.add("claims-mit", "License-Expression: MIT", files={"claims_mit-1.0.dist-info/LICENSE": text})
    assert "copyleft for the whole work" in site.problems()[0]


def test_a_bundled_copyleft_library_is_found(site: Site) -> None:
    site.requires("wheel")
    site.add("wheel", "License-Expression: MIT", files={"wheel.libs/libreadline-69c5979f.so.7.0": ""})
    assert site.problems()[0].startswith("wheel: GPL-3.0-or-later (bundled libreadline-69c5979f.so.7.0)")


def test_library_copyleft_passes_once_it_is_decided_by_name(site: Site) -> None:
    site.requires("driver")
    site.add("driver", "License-Expression: LGPL-3.0-only")
    assert len(site.problems()) == 1
    assert site.problems(driver=Allowed((Terms.LIBRARY,), "imported unchanged")) == []


def test_strong_copyleft_passes_only_in_the_optional_extra_that_the_decision_names(site: Site) -> None:
    site.add("strict", "License-Expression: GPL-3.0-only")
    decided = Allowed((Terms.STRONG,), "a separate program", only_in="embedded")
    site.requires('strict ; extra == "embedded"')
    assert site.problems(strict=decided) == []
    assert len(site.problems(strict=Allowed((Terms.STRONG,), "no extra named"))) == 1
    site.requires("strict")
    assert site.problems(strict=decided) == [
        "strict: allowed only in [embedded], but installed without it. Remedy: find what requires it"
    ]


def test_a_decision_may_name_a_family(site: Site) -> None:
    site.requires('nvidia-nvtx ; extra == "embedded"')
    site.add("nvidia-nvtx", "License-Expression: LicenseRef-NVIDIA-Proprietary")
    family = {"nvidia-*": Allowed((Terms.UNKNOWN,), "its own terms", only_in="embedded")}
    assert site.problems(**family) == []
    site.requires("nvidia-nvtx")
    assert site.problems(**family)[0].startswith("nvidia-nvtx: allowed only in [embedded]")


def test_what_is_required_and_not_installed_is_not_taken_for_checked(site: Site) -> None:
    site.requires("absent")
    assert site.problems() == ["absent: required, but not installed. Remedy: install presswork[worker,embedded]"]


def test_requirements_of_requirements_are_followed(site: Site) -> None:
    site.requires("near[far]")
    site.add("near", "License-Expression: MIT", "Provides-Extra: far", 'Requires-Dist: deep ; extra == "far"')
    site.add("deep", "License-Expression: GPL-2.0-only")
    assert site.problems()[0].startswith("deep: GPL-2.0-only")
