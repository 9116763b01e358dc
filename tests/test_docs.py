"""The documents: their links, their code, their flags."""

from __future__ import annotations

import doctest
import re
import tempfile

import pytest
from helpers import PROGRAMS, ROOT, run_program

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


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_reference_lists_every_flag_with_its_default(program):
    source = (ROOT / f"{program}.py").read_text()
    defined = set(re.findall(r"(?:DEFINE_\w+|define_integers)\(\s*\"(\w+)\"", source))
    reference = (ROOT / "docs/reference.md").read_text()
    section = re.split(r"^`(\w+)\.py.*`:$", reference, flags=re.M)
    table = section[section.index(program) + 1].split("\n\n")[1]
    listed = {
        name for row in table.splitlines()[2:] for name in re.findall(r"--(\w+)", row.split("|")[1])
    }
    assert listed == defined


def test_the_first_page_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_program_prints_the_changelogs_version():
    version = re.search(r"^## (\S+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert version
    done = run_program("download_drawings.py", "--version")
    assert (done.returncode, done.stdout) == (0, f"{version[1]}\n")
