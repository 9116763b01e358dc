"""One's own words: kept, opened, saved, deleted, and never lost without a word."""

import base64
import gzip
import json
import re
import zipfile

import pytest
from helpers import convert, ndjson_line, read_records, run_program
from page_driver import (
    CORNER,
    always,
    ask,
    draw,
    evaluate,
    find,
    open_page,
    press,
    run_modules,
    show,
    text_of,
    until,
    write_page,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from drawings import ink, ndjson, ndjson_files
from records import tfrecords
from serving import classifier

SQUARE = [[[0, 9, 9], [0, 0, 9]], [[1, 2], [3, 4]]]


@pytest.fixture
def downloads(browser, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    options = {"behavior": "allow", "downloadPath": str(folder)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", options)
    return folder


@pytest.fixture
def teaching(wide, tmp_path):
    """A page that says "ant" to all, where one teaches."""
    open_page(wide, write_page(tmp_path, weights=always(0)))
    show(wide, "teach")
    return wide


def keep(browser, word: str) -> None:
    find(browser, "teach-word").clear()
    find(browser, "teach-word").send_keys(word)
    draw(browser)
    until(lambda: evaluate(browser, "document.querySelector('#guesses').children.length"))
    press(browser, "Keep drawing")
    until(lambda: re.match(r"Kept \d+ of", text_of(browser, "teach-status")))
    browser.execute_script("document.getElementById('teach-status').replaceChildren()")


def open_files(browser, *paths) -> str:
    """Opens files; what the page says of them."""
    find(browser, "teach-files").send_keys("\n".join(map(str, paths)))
    return until(
        lambda: (lambda said: "Opening" not in said and said)(text_of(browser, "teach-status"))
    )


def kept(browser) -> list[str]:
    """The names and the numbers of what is kept."""
    return evaluate(
        browser, "[...document.querySelectorAll('.kept .name')].map((name) => name.textContent)"
    )


def test_drawings_are_kept_saved_and_converted(browser, downloads, tmp_path, trained):
    page = tmp_path / "draw.html"
    done = run_program(
        "scripts/make_drawing_page.py", f"--model={trained.model_dir}", f"--output={page}"
    )
    assert done.returncode == 0, done.stderr
    open_page(browser, f"file://{page}")
    show(browser, "teach")
    for word in ("a/b", "bee", "bee"):
        keep(browser, word)
    browser.refresh()
    show(browser, "teach")
    until(lambda: kept(browser) == ["a/b 1", "bee 2"])
    press(browser, "Save for training")
    archive = downloads / "drawings.zip"
    until(lambda: zipfile.is_zipfile(archive))
    folder = tmp_path / "unpacked"
    zipfile.ZipFile(archive).extractall(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["a_b.ndjson", "bee.ndjson"]
    documents = [json.loads(line) for line in (folder / "bee.ndjson").read_text().splitlines()]
    assert [document["word"] for document in documents] == ["bee", "bee"]
    (first, second) = (document["key_id"] for document in documents)
    assert re.fullmatch(r"[1-9]\d{15}", first) and first != second
    xs, ys, times = documents[0]["drawing"][0]
    assert len(xs) == len(ys) == len(times) and times[0] == 0 and times == sorted(times)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ UTC", documents[0]["timestamp"])
    # What the page guesses is what the classifier does, of the strokes that it saved.
    expected = classifier.Classifier(str(trained.model_dir)).classify(documents[0]["drawing"])
    (answer,) = ask(browser, "classify", [documents[0]["drawing"]])
    for guess, (word, probability) in zip(answer, expected):
        assert guess["word"] == word and guess["probability"] == pytest.approx(
            probability, abs=1e-3
        )
    convert(folder, tmp_path / "records", num_shards=1)
    (record, *others) = read_records(tmp_path / "records/training.tfrecord-00000-of-00001")
    assert len(others) == 2
    simplified = ink.simplify(documents[0]["drawing"])
    expected_record = tfrecords.encode_record(ink.strokes_to_ink(simplified).tobytes(), 1)
    assert expected_record in [record, *others]


def test_twelve_words_are_saved_as_twelve_files(wide, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    options = {"behavior": "allow", "downloadPath": str(folder)}
    wide.execute_cdp_cmd("Browser.setDownloadBehavior", options)
    open_page(wide, write_page(tmp_path))
    show(wide, "teach")
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"{number}.ndjson")
        paths[-1].write_bytes(ndjson_line(f"word {number:02}", SQUARE))
    open_files(wide, *paths)
    press(wide, "Save for training")
    until(lambda: zipfile.is_zipfile(folder / "drawings.zip"))
    names = zipfile.ZipFile(folder / "drawings.zip").namelist()
    assert names == [f"word {number:02}.ndjson" for number in range(12)]
    press(wide, "Save word 03 as a file")
    until((folder / "word 03.ndjson").exists)


def test_deleting_asks_first_and_the_focus_stays(teaching):
    keep(teaching, "cow")
    keep(teaching, "cow")
    keep(teaching, "bee")
    find(teaching, "teach-list").find_element(By.XPATH, ".//button[text()='Show']").send_keys(
        Keys.ENTER
    )
    assert evaluate(teaching, "document.activeElement.textContent") == "Hide"
    ask_first = "//button[@aria-label='Delete all drawings of cow']"
    teaching.find_element(By.XPATH, ask_first).send_keys(Keys.ENTER)
    assert evaluate(teaching, "document.activeElement.textContent") == "Delete all 2"
    press(teaching, "Keep them")
    assert kept(teaching) == ["bee 1", "cow 2"]
    press(teaching, "Delete all drawings of cow")
    press(teaching, "Delete all 2")
    until(lambda: kept(teaching) == ["bee 1"])
    keep(teaching, "bee")
    newest = "//button[@aria-label='Delete drawing 2 of bee']"
    teaching.find_element(By.XPATH, newest).send_keys(Keys.ENTER)
    until(lambda: kept(teaching) == ["bee 1"])
    label = "document.activeElement.ariaLabel"
    assert evaluate(teaching, label) == "Delete drawing 1 of bee"  # which stands there now
    press(teaching, "Delete drawing 1 of bee")
    until(lambda: kept(teaching) == [])


def test_enter_held_and_a_double_click_keep_once(teaching):
    draw(teaching)
    word = find(teaching, "teach-word")
    word.send_keys("cow")
    teaching.execute_script(
        """const [word] = arguments;
        const enter = (repeat) => word.dispatchEvent(new KeyboardEvent("keydown",
          { key: "Enter", repeat, bubbles: true, cancelable: true }));
        enter(false);
        for (let i = 0; i < 5; i++) enter(true);
        document.getElementById("teach-keep").click();
        document.getElementById("teach-keep").click();""",
        word,
    )
    until(lambda: kept(teaching) == ["cow 1"])
    until(lambda: "Kept 1 of cow" in text_of(teaching, "teach-status"))


def test_a_stroke_begun_while_a_drawing_is_kept_stays(teaching):
    draw(teaching)
    find(teaching, "teach-word").send_keys("cow")
    strokes = teaching.execute_async_script(
        """const [done] = arguments;
        const board = document.getElementById("board");
        board.setPointerCapture = () => {};
        const { left, top } = board.getBoundingClientRect();
        const send = (kind, x) => board.dispatchEvent(new PointerEvent(`pointer${kind}`,
          { pointerId: 7, button: 0, clientX: left + x, clientY: top + 50 }));
        document.getElementById("teach-keep").click();
        send("down", 20);
        const timer = setInterval(() => {
          if (document.getElementById("teach-status").textContent) {
            clearInterval(timer);
            send("move", 60);
            send("up", 60);
            done(JSON.parse(sessionStorage.getItem("drawing")).strokes);
          }
        }, 5);"""
    )
    assert kept(teaching) == ["cow 1"]
    ((xs, _, times),) = strokes
    assert len(xs) == 2 and times[0] == 0
    press(teaching, "Clear")
    keep(teaching, "bee")


def test_files_are_opened_with_the_reasons_of_what_is_skipped(teaching, tmp_path):
    good = ndjson_line("<b>cow</b>", SQUARE)
    other = ndjson_line("<b>cow</b>", SQUARE, key_id="1234567890123456")
    damaged = tmp_path / "damaged.ndjson"
    damaged.write_bytes(
        good + b'{"word": "cow"}\n\nnonsense\n{"drawing"\n\xff\xfe\n[]\n' + other[:-1]
    )
    long = tmp_path / "long.ndjson"
    strokes = [[list(range(50_000)), [x % 7 for x in range(50_000)]]]
    no_end = b'{"word": "endless", "drawing": [[[' + b"1," * 10_000_000
    long.write_bytes(ndjson_line("long", strokes) + no_end)
    said = open_files(teaching, damaged, long).split("\n")
    assert len(said) == 2  # a line for each file
    assert said[0].startswith("damaged.ndjson: 2 drawings; skipped: ")
    for reason in ("malformed JSON (3)", "no drawing (1)", "not a JSON object (1)"):
        assert reason in said[0]
    assert said[1].startswith("long.ndjson: 1 drawing; skipped: malformed JSON (1)")
    assert kept(teaching) == ["<b>cow</b> 2", "long 1"]


def test_a_drawing_that_is_here_already_is_not_taken_twice(teaching, tmp_path):
    path = tmp_path / "cow.ndjson"
    numbered = [ndjson_line("cow", SQUARE, key_id=str(key)) for key in (1, 2, 1)]
    path.write_bytes(b"".join(numbered) + ndjson_line("cow", SQUARE) * 2)
    said = "cow.ndjson: 3 drawings; 2 were here already"
    assert open_files(teaching, path) == said
    assert open_files(teaching, path) == "cow.ndjson: 0 drawings; 5 were here already"
    assert kept(teaching) == ["cow 3"]


def as_files() -> dict[str, bytes]:
    """The same drawings in every form that the programs read, and what they do not."""
    documents = [
        {"word": "cow", "drawing": SQUARE, "key_id": str(number), "note": 'a "]}" in a text'}
        for number in range(3)
    ]
    documents += [{"word": "кот", "drawing": json.dumps(SQUARE)}, {"word": "cow"}, [1]]
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    laid_out = "\n".join(json.dumps(document, indent=2) for document in documents[:5])
    array = json.dumps(documents)
    return {
        "lines": lines.encode(),
        "lines after a mark": b"\xef\xbb\xbf" + lines.encode(),
        "UTF-16": lines.encode("utf-16"),
        "UTF-16 without a mark": lines.encode("utf-16-be"),
        "gzip": gzip.compress(lines.encode()),
        "an array": array.encode(),
        "a laid out array": json.dumps(documents, indent=1, ensure_ascii=False).encode(),
        "arrays": (array + array).encode(),
        "objects over many lines": laid_out.encode(),
        "an array, compressed": gzip.compress(array.encode("utf-16")),
        "an array that ends early": array[:-40].encode(),
        "a text of no JSON": b'{"word": "cow", "drawing": "[[[0, 1]"}',
        "lines after an empty array": b"[]\n" + lines.encode(),
        "nothing": b"",
        "zip": b"PK\x03\x04 and more",
        "bzip2": b"BZh91AY",
        "xz in gzip": gzip.compress(b"\xfd7zXZ\x00"),
    }


def read_by_python(path) -> list:
    """The words and points of a file's drawings, and the reasons; or the reason for the file."""
    try:
        with ndjson_files.open_ndjson(str(path)) as file:
            lines = [line for line in file.read().split(b"\n") if line.strip()]
    except ndjson_files.NotDrawingsError as error:
        return [str(error)]
    drawings, reasons = [], []
    for line in lines:
        try:
            word, rows = ndjson.parse_line(line)
            drawings.append([word, len(rows) + 1])
        except ValueError as error:
            reasons.append(str(error))
    return [drawings, sorted(reasons)]


def test_files_are_read_in_every_form_that_the_programs_read(wide, tmp_path):
    files = as_files()
    answers = run_modules(
        wide,
        ["points", "ndjson"],
        """const read = async (text) => {
          const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
          try {
            const { drawings, skipped } = await ndjsonModule.readDrawings(new Blob([bytes]));
            const points = (strokes) => strokes.reduce((sum, [xs]) => sum + xs.length, 0);
            const reasons = [...skipped].flatMap(([reason, count]) => Array(count).fill(reason));
            return [drawings.map(({ word, strokes }) => [word, points(strokes)]), reasons.sort()];
          } catch (error) {
            return [error.message];
          }
        };
        return Promise.all(given[0].map(read));""",
        [base64.b64encode(content).decode() for content in files.values()],
    )
    path = tmp_path / "drawings"
    for (form, content), answer in zip(files.items(), answers, strict=True):
        path.write_bytes(content)
        assert answer == read_by_python(path), form
    by_form = dict(zip(files, answers))
    assert by_form["an array"] == [
        [["cow", 5]] * 3 + [["кот", 5]],
        ["no drawing", "not a JSON object"],
    ]
    assert by_form["zip"] == ["is a zip archive; unpack it"]


def test_a_file_of_another_kind_is_refused_with_its_name(teaching, tmp_path):
    paths = [tmp_path / "a.zip", tmp_path / "b.gz", tmp_path / "c.ndjson.gz"]
    paths[0].write_bytes(b"PK\x03\x04")
    paths[1].write_bytes(gzip.compress(b"cow" * 99)[:20])
    paths[2].write_bytes(gzip.compress(ndjson_line("cow", SQUARE)))
    assert open_files(teaching, *paths).split("\n") == [
        "a.zip is a zip archive; unpack it.",
        "b.gz is a damaged gzip file, or this browser cannot unpack it.",
        "c.ndjson.gz: 1 drawing",
    ]
    assert kept(teaching) == ["cow 1"]


def read_drawings(browser, count: int) -> list:
    return run_modules(
        browser,
        ["points", "ndjson"],
        """const line = (i) => JSON.stringify({ word: "w", drawing: [[[0, i], [0, 1]]] }) + "\\n";
        const file = new Blob(Array.from({ length: given[0] }, (_, i) => line(i)));
        const { drawings, cut } = await ndjsonModule.readDrawings(file);
        return [drawings.length, cut, new Set(drawings.map(({ keyId }) => keyId)).size];""",
        count,
    )


def test_ten_thousand_drawings_are_whole_and_one_more_is_cut(wide):
    assert read_drawings(wide, 10_000) == [10_000, False, 10_000]
    assert read_drawings(wide, 10_001) == [10_000, True, 10_000]


def test_a_file_that_goes_away_while_it_is_read_is_said(teaching, tmp_path):
    teaching.execute_script(
        "Blob.prototype.arrayBuffer = () => Promise.reject(new DOMException('x', 'NotReadable'))"
    )
    path = tmp_path / "gone.ndjson"
    path.write_bytes(ndjson_line("cow", SQUARE))
    assert open_files(teaching, path).startswith("gone.ndjson could not be read: it has changed")


def test_the_newest_drawings_are_shown_first_and_all_can_be(teaching, tmp_path):
    path = tmp_path / "many.ndjson"
    path.write_bytes(b"".join(ndjson_line("cow", SQUARE, key_id=str(i)) for i in range(70)))
    open_files(teaching, path)
    press(teaching, "Show the drawings of cow")
    labels = "[...document.querySelectorAll('.cards svg')].map((picture) => picture.ariaLabel)"
    shown = until(lambda: evaluate(teaching, labels))
    assert (shown[0], shown[-1], len(shown)) == ("cow, drawing 70", "cow, drawing 11", 60)
    press(teaching, "Show 10 more")
    assert evaluate(teaching, labels)[-1] == "cow, drawing 1"


def test_without_storage_it_says_so_for_as_long_as_one_teaches(wide, tmp_path):
    before = "indexedDB.open = () => { throw new Error('no') }"
    open_page(wide, write_page(tmp_path), before=before)
    show(wide, "teach")
    until(lambda: "keeps nothing when the page is closed" in text_of(wide, "teach-notice"))
    show(wide, "draw")
    show(wide, "teach")
    assert "keeps nothing" in text_of(wide, "teach-notice")
    find(wide, "teach-word").send_keys("cow")
    draw(wide)
    press(wide, "Keep drawing")
    until(lambda: text_of(wide, "teach-status") == "Kept 1 of cow, until the page is closed.")
    assert kept(wide) == ["cow 1"]


def test_on_a_disk_it_says_who_else_can_read_what_is_kept(teaching):
    until(lambda: "pages opened from this computer’s disk" in text_of(teaching, "teach-notice"))
    assert "leaves this page" not in teaching.find_element(By.TAG_NAME, "body").text


def test_storage_cleared_under_the_page_is_made_anew_with_all_that_is_shown(teaching):
    keep(teaching, "cow")
    # As by clearing what a site has stored: the database is closed and gone.
    teaching.execute_cdp_cmd(
        "Storage.clearDataForOrigin", {"origin": "file://", "storageTypes": "indexeddb"}
    )
    keep(teaching, "bee")
    teaching.refresh()
    show(teaching, "teach")
    until(lambda: kept(teaching) == ["bee 1", "cow 1"])


def test_full_storage_is_said_and_nothing_is_lost(wide, tmp_path):
    full = "throw new DOMException('Full', 'QuotaExceededError')"
    before = f"IDBObjectStore.prototype.add = () => {{ {full} }}"
    open_page(wide, write_page(tmp_path), before=before)
    show(wide, "teach")
    find(wide, "teach-word").send_keys("cow")
    draw(wide)
    press(wide, "Keep drawing")
    until(
        lambda: "That could not be kept: Full. Save files and delete some."
        in text_of(wide, "teach-status")
    )
    assert find(wide, "undo").is_enabled()  # the drawing is still there


def test_a_frame_without_forms_and_windows_keeps_and_deletes(wide, tmp_path):
    write_page(tmp_path)
    outer = tmp_path / "outer.html"
    outer.write_text(
        '<iframe sandbox="allow-scripts" src="draw.html" width="900" height="700"></iframe>'
    )
    open_page(wide, f"file://{outer}")
    wide.switch_to.frame(0)
    try:
        show(wide, "teach")
        until(lambda: "keeps nothing" in text_of(wide, "teach-notice"))
        find(wide, "teach-word").send_keys("cow")
        draw(wide, CORNER)
        find(wide, "teach-word").send_keys(Keys.ENTER)
        until(lambda: kept(wide) == ["cow 1"])
        press(wide, "Delete all drawings of cow")
        press(wide, "Delete all 1")
        until(lambda: kept(wide) == [])
    finally:
        wide.switch_to.default_content()


def test_files_have_names_that_all_systems_take(wide):
    words = {
        ".": "_",
        "..": "_ (2)",
        "a/b": "a_b",
        "a:b": "a_b (2)",
        "A?B": "A_B (3)",
        "CON": "_CON",
        "com1.old": "_com1.old",
        "🐈": "🐈",
        "बिल्ली": "बिल्ली",
        "cat.": "cat_",
        "e\u0301t\u00e9": "\u00e9t\u00e9",
        "a\u202eb\n": "a_b_",
        "x" * 300: "x" * 200,
        "к" * 150: "к" * 100,
        "console": "console",
    }
    names = run_modules(
        wide, ["elements", "saving"], "return savingModule.fileNames(given[0], '.t');", list(words)
    )
    assert names == [f"{name}.t" for name in words.values()]
    assert len({name.lower() for name in names}) == len(names)
