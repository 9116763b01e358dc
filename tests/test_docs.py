"""The documents: their links, their code, their flags."""

from __future__ import annotations

import doctest
import re
import tempfile

import pytest
from helpers import PROGRAMS, ROOT, run_program

import model
from common import settings
from training import run

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_every_picture_is_shown():
    shown = {
        (page.parent / link).resolve() for page in PAGES for link in LINK.findall(page.read_text())
    }
    assert shown >= set((ROOT / "docs/pictures").iterdir())


def test_the_code_of_how_it_works_runs_and_prints_what_it_says(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda: str(tmp_path))
    text = (ROOT / "docs/how_it_works.md").read_text()
    text = text.replace("runs/2026-11-22-174400", str(trained.model_dir))
    test = doctest.DocTestParser().get_doctest(text, {}, "how_it_works.md", None, None)
    assert len(test.examples) > 40
    said: list[str] = []
    failed, _ = doctest.DocTestRunner().run(test, out=said.append)
    assert not failed, "".join(said)


# What programs name in `define_flags`.
SETTINGS = {"model.HParams": model.HParams, "model.Judgement": model.Judgement, "Run": run.Run}


def settings_of(program: str) -> dict[str, tuple[object, settings.Rule]]:
    """The default and the rule of each setting that is a flag of a program, by name."""
    source = (ROOT / f"{program}.py").read_text()
    names = re.findall(r"define_flags\(([^)]*)\)", source)
    classes = [SETTINGS[name] for part in names for name in part.split(", ")]
    return {
        name: (getattr(cls, name), rule)
        for cls in classes
        for name, rule in settings.rules(cls).items()
    }


def rows_of_reference(program: str) -> dict[str, list[str]]:
    """The other cells of the rows of a program's flags, by the flag's name."""
    section = re.split(r"^`(\w+)\.py.*`:$", (ROOT / "docs/reference.md").read_text(), flags=re.M)
    table = section[section.index(program) + 1].split("\n\n")[1]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    return {name: cells for first, *cells in rows for name in re.findall(r"--(\w+)", first)}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_reference_lists_every_flag(program):
    source = (ROOT / f"{program}.py").read_text()
    defined = {*re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", source), *settings_of(program)}
    assert set(rows_of_reference(program)) == defined


def is_default(cell: str, default: object) -> bool:
    """Whether a cell says that default: `0` for 0.0, `false` for False, `48,64,96` for a tuple."""
    text = cell.strip("`")
    if isinstance(default, bool):
        return text == str(default).lower()
    if isinstance(default, (int, float)):
        return float(text) == default
    return text == settings.flag_value(default)


@pytest.mark.parametrize("program", ["train_model", "evaluate_model"])
def test_the_reference_says_the_defaults_of_settings(program):
    rows = rows_of_reference(program)
    assert settings_of(program)
    for name, (default, _) in settings_of(program).items():
        assert is_default(rows[name][0], default), name


def test_the_reference_says_the_values_of_settings():
    rows = rows_of_reference("train_model")
    for name, (_, rule) in settings_of("train_model").items():
        values = rule.expected().removeprefix("one of ")
        assert rows[name][1].replace("`", "") == values, name


def test_the_first_page_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_program_prints_the_changelogs_version():
    version = re.search(r"^## (\S+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert version
    done = run_program("download_drawings.py", "--version")
    assert (done.returncode, done.stdout) == (0, f"{version[1]}\n")
