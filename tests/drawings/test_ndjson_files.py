import bz2
import gzip
import io
import json
import lzma
import pathlib
import zipfile

import numpy as np
import pytest
from helpers import ndjson_line, random_strokes

from drawings import ndjson, ndjson_files

DOCUMENTS = [
    {"word": "кот", "drawing": random_strokes(np.random.default_rng(seed))} for seed in range(5)
]
LINES = b"".join(ndjson_line(**{"word": d["word"], "strokes": d["drawing"]}) for d in DOCUMENTS)


def words_and_inks(content: bytes, folder: pathlib.Path, name: str = "file") -> list:
    path = folder / name
    path.write_bytes(content)
    with ndjson_files.open_ndjson(str(path)) as file:
        parsed = ndjson.parse_lines(file.read())
    assert not parsed.errors
    return [(word, drawing.tobytes()) for word, drawing in parsed]


@pytest.mark.parametrize(
    "content",
    {
        "gzip": gzip.compress(LINES),
        "gzip of two parts": gzip.compress(LINES[:300]) + gzip.compress(LINES[300:]),
        "UTF-16 with a mark": LINES.decode().encode("utf-16"),
        "UTF-16 of the other order": b"\xfe\xff" + LINES.decode().encode("utf-16-be"),
        "UTF-16 without a mark": LINES.decode().encode("utf-16-le"),
        "UTF-32": LINES.decode().encode("utf-32"),
        "UTF-8 with a mark": b"\xef\xbb\xbf" + LINES,
        "an array on one line": json.dumps(DOCUMENTS).encode(),
        "an array, an item a line": b"[" + LINES.strip().replace(b"\n", b",\n") + b"]",
        "an indented array": json.dumps(DOCUMENTS, indent=1).encode("utf-8-sig"),
        "indented objects": b"\n".join(json.dumps(d, indent=2).encode() for d in DOCUMENTS),
        "arrays": json.dumps(DOCUMENTS[:2]).encode() + b"\n" + json.dumps(DOCUMENTS[2:]).encode(),
        "a compressed array in UTF-16": gzip.compress(json.dumps(DOCUMENTS).encode("utf-16")),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_file_is_what_its_first_bytes_say(content, tmp_path):
    expected = words_and_inks(LINES, tmp_path)
    assert len(expected) == 5
    for name in ("a.ndjson", "a.ndjson.gz", "a"):
        assert words_and_inks(content[1], tmp_path, name) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"[",
        b"{",
        b"[1, 2",
        b"[{}\nnonsense\n",
        b"[]\n\n" + LINES,
        b"\x00" + LINES,
        b"\xff\xfe" + LINES,
        b"{\n",
        b'{"word"\n',
        b"[" * 10**5,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_nothing_of_that_stays_as_it_is(content, tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(content)
    with ndjson_files.open_ndjson(str(path)) as file:
        assert file.read() == content


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.ndjson", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content, kind",
    [
        (zipped(LINES), "a zip archive"),
        (gzip.compress(zipped(LINES)), "a zip archive"),
        (bz2.compress(LINES), "compressed by bzip2"),
        (lzma.compress(LINES), "compressed by xz"),
    ],
)
def test_other_archives_are_refused_by_name(content, kind, tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(content)
    with (
        pytest.raises(ndjson_files.NotDrawingsError, match=f"^is {kind}; unpack it$"),
        ndjson_files.open_ndjson(str(path)),
    ):
        pass


def test_damage_of_a_compressed_file_is_named_and_nothing_else_is(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(gzip.compress(LINES)[:-20])
    with (
        pytest.raises(ValueError, match=r"a.ndjson: the compressed file is damaged"),
        ndjson_files.open_ndjson(str(path)) as file,
    ):
        file.read()
