"""Rules of the house that a machine can check: names, sizes, walls between modules, one way to do a thing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib

import pytest
from prometheus_client.metrics import MetricWrapperBase

from policy import events
from tests.support.repository import PACKAGES, REPOSITORY, files, modules, nodes, text, tree
from workers import metrics

LINES = 300
LONGER = {  # path -> why it is one idea all the same
    "tests/api/edge/test_auth.py": "one table of every address with the right that it needs",
    "migrations/versions/0007_privacy.py": "a migration that has run is never cut up",
    "policy/ledger/evidence/offline_verifier.py": "one file is what an auditor can read, keep and run without us",
    "tests/api/test_campaigns.py": "one file a module: what a spreadsheet may do to us, case by case",
    "tests/policy/images/test_screen.py": "one file a module: what a classifier may do to us, case by case",
    "tests/policy/intake/test_picture.py": "what a foreign picture may do to us, case by case",
    "tests/policy/ledger/test_pack.py": "what a forger may do to a pack, case by case, on packs that are made once",
    "workers/settings.py": "one frozen table, from which the README's is made",
    **dict.fromkeys((f"tests/workers/sampling/test_{n}.py" for n in ("pipelines", "sampler")), "pipelines loaded once"),
}
WITH_CODE = {"deploy/client/__init__.py": "what programs import"} | {  # packages with code in __init__, and why
    "policy/events/__init__.py": "the map of all kinds: an event is named `events.ItemReleased` wherever it is emitted",
}
SWALLOWING = {  # path -> why it may catch what nobody placed
    "workers/gpu/unsettled.py": "the outermost frame of a batch: it records the traceback and ends the claim",
    **dict.fromkeys(("policy/intake/child.py", "workers/sheets/child.py"), "hostile bytes are refused in its words"),
    "policy/fence.py": "carries somebody else's error to the thread that asked, which holds what it asked about",
}
ASYNCHRONOUS = "api/"  # ASGI itself is; our routes are not, as jobs and ledger are read and written in plain threads
ASYNCHRONOUS_ROUTES = {  # function of api/routes -> why it must not hold a thread of the shared pool
    "healthz": "a process whose threads are all busy is alive",
    "readyz": "asks by threads of its own, so that a busy pool makes no installation unready",
    **dict.fromkeys(("_waited", "follow", "follow_all"), "holds a reply back, for many callers at once"),
    **dict.fromkeys(("generate", "edit"), "holds a reply back until its images are made; work takes turns"),
}
NO_PACKAGE_IS_CALLED = {"utils", "common", "core", "helpers", "base", "manager", "service", "misc"}
SAYS_ENOUGH = {  # path -> why such a name says what is in it all the same
    "api/schemas/base.py": "the base classes of everything that is sent and answered, and nothing else",
}
LEFT_OUT = {  # path -> when its tests may be left out, and who puts them in
    "tests/api/console/test_browser.py": "where Chromium is not installed; .ci/run installs it where it may",
    **dict.fromkeys((f"tests/contract/test_{n}.py" for n in ("go", "promtool")), "where .ci/run may not install it"),
    **{f"tests/deploy/packaging/test_{n}.py": "without chart, or root" for n in ("built_images", "chart", "images")},
    "tests/deploy/test_acceptance.py": "but in ./run nightly, where moto's server is installed",
}
# Dataclasses that are parts of a process or grow while they are filled.
_PROCESS = {"Executor", "PartialSettlement", "Presence", "Standing", "Used"}
MUTABLE = _PROCESS | {"PackFindings", "ProblemCollector", "_Range", "_Zip"}
LEVELS = ("debug", "info", "warning", "error", "critical", "exception")
HEAVY = ("accelerate", "c2pa", "cv2", "diffusers", "imwatermark", "onnxruntime", "safetensors", "torch", "transformers")


def test_every_module_says_its_idea_in_its_first_sentence() -> None:
    silent = [
        path
        for path in modules(*PACKAGES, "tests", "bench", "tools")
        if not re.match(r"\S.*?[.:;,]", (ast.get_docstring(tree(path)) or "").strip(), re.DOTALL)
        and path not in ("tests/__init__.py", "tests/crash/__init__.py")
    ]
    assert silent == []


def test_an_init_is_a_map_and_holds_no_code() -> None:
    with_code = [
        path
        for path in modules(*PACKAGES, "tests")
        if path.endswith("__init__.py") and not all(_is_docstring(node) for node in tree(path).body)
    ]
    assert set(with_code) == set(WITH_CODE)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_no_file_is_long_without_a_reason() -> None:
    long = {path for path in modules(*PACKAGES, "tests", "bench", "tools") if len(text(path).splitlines()) > LINES}
    assert long <= set(LONGER)


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = {path for path in modules() if NO_PACKAGE_IS_CALLED & set(path.removesuffix(".py").split("/"))}
    assert vague == set(SAYS_ENOUGH)


def test_whoever_swallows_every_error_is_named_here() -> None:
    swallowing = [
        path
        for path in modules("migrations", "policy", "workers")
        for handler in nodes(path, ast.ExceptHandler)
        if _catches_everything(handler) and not isinstance(handler.body[-1], ast.Raise)
    ]
    assert sorted(swallowing) == sorted(SWALLOWING)


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    named = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else set()
    return handler.type is None or bool(named & {"Exception", "BaseException"})


def test_the_environment_is_read_by_the_settings_and_by_deployments_only() -> None:
    reading = [
        path
        for path in modules("api", "migrations", "policy", "workers")
        for node in nodes(path, ast.Attribute)
        if node.attr in ("environ", "getenv", "putenv")
    ]
    assert reading == []


def test_nothing_prints_but_commands_and_benchmarks() -> None:
    printing = [
        f"{path}:{node.lineno}"
        for path in modules("api", "migrations", "policy", "workers")
        for node in nodes(path, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_nothing_is_left_to_do_later() -> None:
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
    unfinished = [path for path in files() if _is_text(path) and words.search(text(path))]
    assert unfinished == []


def test_no_file_names_the_machine_it_was_written_on() -> None:
    machine = re.compile(r"(?<![\w.])/(?:work|opt|root|home/[a-z]+|Users/[A-Za-z]+)/|/tmp/[A-Z]")
    hosts = re.compile(r"\b(?:registry\.[a-z]+\.org|docker\.io|ghcr\.io|quay\.io|files\.pythonhosted\.org)\b")
    named = [
        path
        for path in files()
        if _is_text(path)
        and path != "tests/house/test_rules.py"
        and (machine.search(text(path)) or hosts.search(text(path)))
    ]
    assert named == []


def _is_text(path: str) -> bool:
    return path.endswith((".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".cfg", ".csv", ".html")) or (
        path in ("run", "Makefile", "LICENSE", "NOTICE", ".ci/run", ".gitignore")
    )


def test_only_the_http_edge_is_asynchronous() -> None:
    asynchronous = {path for path in modules() if any(nodes(path, ast.AsyncFunctionDef))}
    assert {path for path in asynchronous if not path.startswith(ASYNCHRONOUS)} == set()
    endpoints = [node.name for path in modules("api/routes") for node in nodes(path, ast.AsyncFunctionDef)]
    assert set(endpoints) == set(ASYNCHRONOUS_ROUTES)


def test_no_pickle_is_ever_loaded() -> None:
    pickling = [
        path
        for path in modules()
        for node in (*nodes(path, ast.Import), *nodes(path, ast.ImportFrom))
        if {alias.name for alias in node.names} & {"pickle", "shelve", "dill", "joblib", "cloudpickle"}
    ]
    assert pickling == []


def test_values_between_functions_are_frozen_and_slotted() -> None:
    loose = [
        f"{path}: {node.name}"
        for path in modules("api", "policy", "workers")
        for node in nodes(path, ast.ClassDef)
        for decorator in node.decorator_list
        if "dataclass" in ast.unparse(decorator) and node.name not in MUTABLE
        if not {"frozen=True", "slots=True"} <= set(re.findall(r"\w+=True", ast.unparse(decorator)))
    ]
    assert loose == []


@pytest.mark.parametrize("package", ["deploy", "policy", "workers"])
def test_the_tree_on_top_of_the_errors_names_every_class(package: str) -> None:
    path = f"{package}/errors.py"
    drawn = re.findall(r"^[ |+]*([A-Z]\w+)", ast.get_docstring(tree(path)) or "", re.MULTILINE)
    classes = [node.name for node in nodes(path, ast.ClassDef)]
    assert set(classes) <= set(drawn)
    assert all(ast.get_docstring(node) for node in nodes(path, ast.ClassDef))


def test_log_lines_have_a_constant_snake_case_name() -> None:
    other = [
        f"{path}:{node.lineno}"
        for path in modules("api", "policy", "workers")
        for node in nodes(path, ast.Call)
        if isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        and node.func.attr in LEVELS
        if not (
            node.args
            and isinstance(node.args[0], ast.Constant)
            and re.fullmatch(r"[a-z][a-z0-9_]+", node.args[0].value)
        )
    ]
    assert other == []


def _event_classes() -> list[type[events.Event]]:
    return [thing for thing in vars(events).values() if isinstance(thing, type) and thing.__base__ is events.Event]


@pytest.mark.parametrize("event", _event_classes(), ids=lambda event: event.__name__)
def test_every_event_is_explained_and_emitted(event: type[events.Event]) -> None:
    assert event.__doc__
    assert "(" not in event.__doc__.split(".")[0].partition(event.__name__)[2][:1]  # not the generated signature
    written = re.compile(rf"\b{event.__name__}\(")
    assert any(written.search(text(path)) for path in modules("api", "workers", "policy/ledger", "deploy/backup"))


def test_the_kinds_of_events_are_unique_and_dotted() -> None:
    kinds = [event.kind for event in _event_classes()]
    assert len(set(kinds)) == len(kinds)
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", kind) for kind in kinds)


def _collectors() -> dict[str, MetricWrapperBase]:
    return {name: thing for name, thing in vars(metrics).items() if isinstance(thing, MetricWrapperBase)}


@pytest.mark.parametrize("name", list(_collectors()))
def test_every_metric_is_counted_somewhere(name: str) -> None:
    used = re.compile(rf"\bmetrics\.{name}\b|import .*\b{name}\b")
    assert any(used.search(text(path)) for path in modules("api", "workers") if path != "workers/metrics.py")


def test_metrics_are_named_by_our_prefix_and_their_base_unit() -> None:
    for collector in _collectors().values():
        (family,) = collector.describe()
        assert family.documentation
        assert family.name.startswith("presswork_")
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_bytes", "_items"))


def test_metrics_are_declared_in_one_file() -> None:
    elsewhere = [
        path
        for path in modules()
        for node in nodes(path, ast.ImportFrom)
        if node.module == "prometheus_client"
        and {a.name for a in node.names} & {"Counter", "Gauge", "Histogram", "Summary"}
    ]
    assert elsewhere == ["workers/metrics.py"]


def test_the_api_process_loads_no_model_library() -> None:
    program = f"import sys, api.__main__, api.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.returncode) == ("[]", 0), ran.stderr


LIGHT_STARTS = {  # process -> what it may load of HEAVY, and nothing of the rest
    "planning": (),
    "sealing": (),
    "clerk": (),
    "identification": ("c2pa", "cv2", "onnxruntime"),  # it reads manifests, compares pictures and screens inputs
}


@pytest.mark.parametrize("process", LIGHT_STARTS)
def test_a_process_starts_with_what_it_needs_and_no_thread(process: str) -> None:
    program = (
        f"import sys, threading, workers.__main__, workers.{process}.loop; "
        f"print(threading.active_count(), [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == f"1 {[*LIGHT_STARTS[process]]}", ran.stderr


def test_the_prompt_screen_loads_no_model_library() -> None:
    program = f"import sys, policy.prompts.screen; print([name for name in {HEAVY!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_every_package_has_a_place_in_the_import_contracts() -> None:
    contracts = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]
    top = {path.split("/")[0] for path in files() if path.endswith("/__init__.py") and path.count("/") == 1}
    assert top - {"tests", "bench", "tools"} == set(contracts["root_packages"]) == set(PACKAGES)
    for package in ("policy", "workers"):
        assert any(c.get("exhaustive") and c["containers"] == [package] for c in contracts["contracts"])


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    marks = re.compile(r"pytest\.(skip|xfail|importorskip)|mark\.(skip|skipif|xfail)\b")
    skipped = [path for path in modules("tests") if path != "tests/house/test_rules.py" and marks.search(text(path))]
    assert skipped == list(LEFT_OUT)
