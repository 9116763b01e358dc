"""The rules of layout: which module may import which, read from the sources."""

from __future__ import annotations

import ast
import itertools
import pathlib
import re

import pytest
from helpers import PROGRAMS, ROOT

READ_FIRST = {"model", "input_pipeline"}

# Each layer may import those below it. Folders of one layer do not know each other, except BESIDE.
LAYERS = [
    ["programs"],
    ["training", "serving", "evaluation"],
    ["model_folder"],
    ["model", "input_pipeline", "dataset"],
    ["records", "network", "drawings"],
    ["common"],
]
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
BESIDE = {("training", "evaluation")}

# Who has no business with whom, though the layers would allow it.
STRANGERS = {
    "model": {"records", "drawings"},
    "input_pipeline": {"network", "drawings"},
}


def imported(source: str) -> list[str]:
    """The modules that a source imports, `package.module` where it takes a module of a package."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def place(name: str) -> str:
    """The folder of a module, the module itself in the root, `programs` for all programs."""
    first = name.split(".")[0]
    return "programs" if first in PROGRAMS else first


def problem(module: str, other: str) -> str | None:
    """Why one module may not import the other; None where it may."""
    ours, theirs = place(module), place(other)
    if theirs in ("tensorflow", "absl") and ours == "drawings":
        return f"drawings/ knows no {theirs}"
    if ours not in LAYER_OF or theirs not in LAYER_OF:
        return None
    if ours == theirs == "programs":
        return "a program imports no other"
    if theirs in STRANGERS.get(ours, ()):
        return f"{ours} has no business with {theirs}"
    if ours != theirs and (ours, theirs) not in BESIDE and LAYER_OF[theirs] <= LAYER_OF[ours]:
        return f"{ours} does not stand above {theirs}"
    return None


def modules() -> dict[str, str]:
    """The sources of all modules, by dotted name."""
    paths = [*ROOT.glob("*.py"), *itertools.chain(*(ROOT.glob(f"{p}/*.py") for p in LAYER_OF))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text() for path in paths
    }


def test_the_root_is_the_programs_and_the_two_files_read_first():
    assert {path.stem for path in ROOT.glob("*.py")} == {*PROGRAMS, *READ_FIRST}


def test_imports_go_one_way():
    found = [
        f"{name.replace('.', '/')}.py imports {other}: {why}"
        for name, source in modules().items()
        for other in imported(source)
        if (why := problem(name, other))
    ]
    assert not found, "\n".join(found)


def test_no_circle_of_modules():
    sources = modules()
    graph = {}
    for name, source in sources.items():
        others = {o if o in sources else o.rpartition(".")[0] for o in imported(source)}
        graph[name] = others & set(sources)
    while leaves := [name for name, others in graph.items() if not others & set(graph)]:
        for name in leaves:
            del graph[name]
    assert not graph, f"circle among {sorted(graph)}"


def test_only_programs_define_flags():
    for name, source in modules().items():
        defines = "flags.DEFINE" in source
        assert not defines or place(name) == "programs" or name == "common.settings", name


def programs_and_scripts() -> list[pathlib.Path]:
    """All that is run by its name: the programs, and what is beside them."""
    paths = [*ROOT.glob("*.py"), ROOT / "scripts/local_cluster"]
    paths += itertools.chain(*(ROOT.glob(f"{p}/*.py") for p in ("benchmarks", "scripts", "docs")))
    return [path for path in paths if '__name__ == "__main__"' in path.read_text()]


@pytest.mark.parametrize("path", programs_and_scripts(), ids=lambda path: path.name)
def test_what_is_run_begins_with_the_start(path):
    names = [name for name in imported(path.read_text()) if not name.startswith("__future__")]
    assert names[0].removesuffix(".tf") in ("common.startup", "common.quiet_tensorflow")


def test_common_files_is_the_one_way_to_files():
    scripts = [*ROOT.glob("scripts/*.py"), *ROOT.glob("docs/*.py")]
    sources = {**modules(), **{path.name: path.read_text() for path in scripts}}
    ways = [
        (name, way)
        for name, source in sources.items()
        for way in (r"\bgfile\b", '"://"')
        if re.search(way, source)
    ]
    assert {name for name, _ in ways} == {"common.files"} and len(ways) == 2


def test_what_a_user_can_cause_is_an_error_of_its_own_kind():
    """A plain ValueError ends a program as a bug: only what code alone can cause raises it."""
    count = {name: source.count("raise ValueError") for name, source in modules().items()}
    assert {name: number for name, number in count.items() if number} == {"drawings.ink": 1}


def test_nothing_edits_where_python_looks_for_modules():
    paths = [path for path in ROOT.rglob("*.py") if not {".venv", "tests"} & {*path.parts}]
    assert len(paths) > 80 and not [str(path) for path in paths if "sys.path" in path.read_text()]


@pytest.mark.parametrize(
    "module, other, allowed",
    [
        ("drawings.ink", "tensorflow", False),
        ("drawings.ink", "numpy", True),
        ("dataset.shuffle", "input_pipeline", False),
        ("model", "records.tfrecords", False),
        ("model", "network.lstm", True),
        ("dataset.shuffle", "records.tfrecords", True),
        ("records.tfrecords", "dataset.shuffle", False),
        ("evaluation.report", "training.run", False),
        ("evaluation.evaluate", "model_folder.models", True),
        ("model_folder.models", "evaluation.evaluate", False),
        ("serving.exporting", "training.run", False),
        ("training.run", "serving.exporting", False),
        ("training.run", "evaluation.guesses", True),
        ("common.files", "records.tfrecords", False),
        ("train_model", "create_dataset", False),
        ("train_model", "serving.exporting", True),
    ],
)
def test_the_rule_itself(module, other, allowed):
    assert (problem(module, other) is None) == allowed
