import io
import zipfile

from page_driver import run_modules


def test_an_archive_is_read_by_another_program_with_names_in_any_script(wide):
    files = {"кот.ndjson": "", "बिल्ली.ndjson": "a\n" * 70_000, "🐈 cat.ndjson": "{}"}
    numbers = run_modules(
        wide,
        ["zip"],
        "return [...zipModule.zip(given[0].map(([n, t]) => [n, new TextEncoder().encode(t)]))];",
        list(files.items()),
    )
    with zipfile.ZipFile(io.BytesIO(bytes(numbers))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files


def test_an_archive_of_nothing_is_one(wide):
    numbers = run_modules(wide, ["zip"], "return [...zipModule.zip([])];")
    assert zipfile.ZipFile(io.BytesIO(bytes(numbers))).namelist() == []
