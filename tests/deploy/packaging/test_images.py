"""Images and Compose: locked as constraints.txt is, without secrets, and accepted by Compose itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.images.sbom import bill
from deploy.images.without_cuda import without_cuda
from tests.support.repository import REPOSITORY, text
from workers.settings import Settings

COMPOSE = shutil.which("docker-compose")
HADOLINT = shutil.which("hadolint")
FOLDER = REPOSITORY / "deploy" / "compose"


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", lock, re.MULTILINE))


@pytest.mark.parametrize("lock", ["api.txt", "worker.txt"])
def test_the_images_install_what_the_constraints_say_by_hash(lock: str) -> None:
    wanted, locked = pins(text("constraints.txt")), pins(text(f"deploy/images/{lock}"))
    assert len(locked) > 40
    assert {name: version for name, version in locked.items() if wanted.get(name, version) != version} == {}
    entries = re.split(r"\n(?=[A-Za-z0-9])", text(f"deploy/images/{lock}").strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(("lock", "extra"), [("api.txt", ()), ("worker.txt", ("worker",))])
def test_the_images_install_everything_that_the_package_needs(lock: str, extra: tuple[str, ...]) -> None:
    """An image was built without the library of the console's sign-in, so its API did not start: `./run lock`."""
    project = tomllib.loads(text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *(one for name in extra for one in project["optional-dependencies"][name])]
    names = {canonicalize_name(Requirement(one).name) for one in wanted}
    assert names - {canonicalize_name(name) for name in pins(text(f"deploy/images/{lock}"))} == set()


def test_a_bill_of_materials_names_python_and_debian_packages_once_each() -> None:
    status = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\n\n"
    made = bill("api", status + status + "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n")
    found = [component["purl"] for component in made["components"]]
    assert len(found) == len(set(found))
    assert "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64" in found
    assert not [purl for purl in found if "gone" in purl]
    (ours,) = [component for component in made["components"] if component["name"] == "presswork"]
    assert ours["licenses"] == [{"expression": "Apache-2.0"}]


def test_the_cpu_list_leaves_out_torch_and_cuda_and_nothing_else() -> None:
    lock = text("deploy/images/worker.txt")
    left_out = pins(lock).keys() - pins(without_cuda(lock)).keys()
    assert "torch" in left_out
    assert all(name == "torch" or name == "triton" or name.startswith(("nvidia-", "cuda-")) for name in left_out)


def test_the_api_image_has_no_model_library() -> None:
    assert pins(text("deploy/images/api.txt")).keys() & {"torch", "diffusers", "transformers", "onnxruntime"} == set()


def test_every_image_runs_as_10001_from_a_base_that_the_caller_pins() -> None:
    lines = text("deploy/images/Dockerfile").splitlines()
    assert "ARG BASE" in lines, "no default: a tag would move"
    assert "USER 10001:10001" in lines
    assert not [line for line in lines if re.search(r"(PASSWORD|SECRET|_KEY)=", line)]
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    assert all((REPOSITORY / path).exists() for path in copied if path != "pyproject.toml")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    ran = subprocess.run(
        [str(HADOLINT), "deploy/images/Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.returncode) == ("", 0)


def config(profiles: str, env_file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMPOSE), "--env-file", str(env_file), "-f", "compose.yaml", "config"],
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COMPOSE_PROFILES": profiles},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")
@pytest.mark.parametrize("profiles", ["cpu,services", "gpu", "gpu,tls,services"])
def test_compose_accepts_the_example(profiles: str) -> None:
    ran = config(profiles, FOLDER / ".env.example")
    assert ran.returncode == 0, ran.stderr
    services = yaml.safe_load(ran.stdout)["services"]
    fields = {f"PRESSWORK_{name.upper()}" for name in Settings.model_fields}
    for name, service in services.items():
        if name in ("postgres", "valkey", "seaweedfs", "proxy"):
            continue
        assert service["read_only"], name
        assert {key for key in service["environment"] if key.startswith("PRESSWORK_")} <= fields, name
    assert services["planner"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")
def test_compose_names_a_value_that_is_missing(tmp_path: Path) -> None:
    example = (FOLDER / ".env.example").read_text()
    (tmp_path / "env").write_text(re.sub(r"^S3_BUCKET=.*\n", "", example, flags=re.MULTILINE))
    ran = config("cpu", tmp_path / "env")
    assert ran.returncode != 0
    assert "S3_BUCKET" in ran.stderr


def test_the_example_names_every_required_value_and_no_other() -> None:
    required = set(re.findall(r"\$\{(\w+):\?\}", (FOLDER / "compose.yaml").read_text()))
    used = set(re.findall(r"\$\{(\w+)", (FOLDER / "compose.yaml").read_text()))
    named = set(re.findall(r"^(\w+)=", (FOLDER / ".env.example").read_text(), re.MULTILINE))
    assert required <= named <= used
