"""Images built in a check: a base by mmdebstrap, the Dockerfile by buildah without a daemon, and what came of it.

It takes root, Debian's buildah and mmdebstrap, a package registry and some minutes, so it runs in `./run nightly` only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.skipif(
    not (os.environ.get("NIGHTLY") and os.geteuid() == 0 and shutil.which("buildah") and shutil.which("mmdebstrap")),
    reason="builds images: NIGHTLY=1, root, and Debian's buildah and mmdebstrap",
)
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")  # a registry may be behind a CA of the company's
WHEELS = os.environ.get("PIP_FIND_LINKS", "")  # where the CPU build of torch may lie


@dataclass(frozen=True, slots=True)
class Builder:
    """Buildah with a storage of its own."""

    folder: Path

    def run(self, *arguments: str) -> str:
        command = ["buildah", "--storage-driver", "vfs", "--root", str(self.folder / "root")]
        command += ["--runroot", str(self.folder / "runroot"), *arguments]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments[:3]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def make_base(self) -> str:
        """A Debian with Python: what `BASE` names by its digest elsewhere."""
        archive = self.folder / "base.tar"
        packages = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", str(archive)], check=True)
        container = self.run("from", "scratch").strip()
        self.run("add", container, str(archive), "/")
        archive.unlink()
        self.run("copy", container, str(BUNDLE), str(BUNDLE))
        for variable in ("SSL_CERT_FILE", "PIP_CERT"):
            self.run("config", "--env", f"{variable}={BUNDLE}", container)
        self.run("commit", "--rm", container, "localhost/presswork-base")
        return "localhost/presswork-base"

    def build(self, target: str, base: str, *options: str) -> str:
        image = f"localhost/presswork-{target}"
        mounts = [f"--volume={folder}:{folder}:ro" for folder in WHEELS.split() if Path(folder).is_dir()]
        self.run(
            *(
                "bud",
                "--layers",
                "--isolation",
                "chroot",
                "--format",
                "docker",
                "--pull-never",
                "--target",
                target,
                "--tag",
                image,
            ),
            *("--build-arg", f"BASE={base}", *options, *mounts, "--file", "deploy/images/Dockerfile", "."),
        )
        return image

    def told(self, image: str, *command: str) -> str:
        """What a command in a container of the image prints, as the image's user."""
        container = self.run("from", "--pull-never", image).strip()
        try:
            return self.run("run", "--isolation", "chroot", container, "--", *command)
        finally:
            self.run("rm", container)


def _beside_python(name: str) -> tuple[str, ...]:
    """The command that prints a file of the virtual environment."""
    program = f"import pathlib, sys; print((pathlib.Path(sys.prefix) / {name!r}).read_text())"
    return ("python3", "-c", program)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    made = Builder(tmp_path_factory.mktemp("images"))
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def base(builder: Builder) -> str:
    return builder.make_base()


@pytest.mark.timeout(1800)
def test_the_api_and_the_tools_are_built_run_as_10001_and_say_what_is_inside(builder: Builder, base: str) -> None:
    api = builder.build("api", base)
    tools = builder.build("tools", base)
    assert "Usage: presswork" in builder.told(tools, "presswork", "--help")
    assert builder.told(api, "id", "-u").strip() == "10001"
    config = json.loads(builder.run("inspect", "--type", "image", api))["Docker"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["presswork-api"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Labels"]["org.opencontainers.image.title"] == "Presswork"
    bill = json.loads(builder.told(api, *_beside_python("sbom.cdx.json")))
    names = {component["name"] for component in bill["components"]}
    assert {"presswork", "fastapi", "psycopg", "libc6", "python3"} <= names
    assert not names & {"torch", "diffusers", "onnxruntime"}
    assert "--hash=sha256:" in builder.told(api, *_beside_python("packages.txt"))
    # Migrations, rule sets and model cards are inside the wheel: there is no checkout.
    inside = "from migrations.upgrade import upgrade; from policy.rules import Rules;"
    inside += "from workers.settings import Settings; from pathlib import Path; import migrations, policy;"
    inside += "print(len(list(Path(migrations.__file__).parent.glob('versions/0*.py'))),"
    inside += " Rules.load(Settings.model_fields['policy_rules'].default).name)"
    revisions, _, rules = builder.told(api, "python3", "-c", inside).partition(" ")
    assert int(revisions) == len(list((REPOSITORY / "migrations" / "versions").glob("0*.py")))
    assert rules.strip()


@pytest.mark.timeout(1800)
@pytest.mark.skipif(not WHEELS, reason="PIP_FIND_LINKS names no folder with the CPU build of torch")
def test_the_worker_for_the_cpu_is_built_and_loads_its_libraries(builder: Builder, base: str) -> None:
    worker = builder.build("worker", base, "--build-arg", "FLAVOUR=cpu", "--env", f"UV_FIND_LINKS={WHEELS}")
    loaded = "import torch, diffusers, onnxruntime, c2pa; from workers.sampling.cards.registry import Registry;"
    loaded += "from workers.settings import Settings;"
    loaded += "print(torch.__version__, *Registry.load(Settings.model_fields['models_dir'].default).names())"
    assert "studio" in builder.told(worker, "python3", "-c", loaded)
    assert builder.told(worker, "python3", "-m", "workers", "--help") == ""
