"""The drawing page, in a real browser, as a user has it: one file, opened from the disk."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time

import browser as browsers
import numpy as np
import pytest
from helpers import (
    CLASSES,
    NETWORKS,
    TINY,
    by_tensorflow,
    convert,
    ndjson_line,
    random_strokes,
    random_weights,
    read_records,
    resampled,
    run_program,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By

from dataset import records
from drawings import ink
from serving import classifier, drawing_page

MARKUP = "<img src=x onerror=alert(1)>"

# A clock that the test moves, in seconds.
MOVED_CLOCK = """
const now = performance.now.bind(performance);
window.passed = 0;
performance.now = () => now() + 1000 * window.passed;
"""


@pytest.fixture(scope="session")
def need_browser():
    if not browsers.find():
        message = "no Chromium with a chromedriver is installed"
        (pytest.fail if "CI" in os.environ else pytest.skip)(message)


@pytest.fixture(scope="module")
def wide(need_browser):
    with browsers.opened(width=1280) as browser:
        yield browser


@pytest.fixture(scope="module")
def phone(need_browser):
    with browsers.opened(width=390, height=844, touch=True) as browser:
        yield browser


@pytest.fixture(params=["wide", "phone"])
def browser(request):
    """Both browsers, one after the other."""
    return request.getfixturevalue(request.param)


def write_page(folder, params=TINY, classes=CLASSES, *, weights=None) -> str:
    path = folder / "draw.html"
    weights = weights or random_weights(params)
    path.write_text(drawing_page.page(weights, params=params, classes=classes))
    return f"file://{path}"


def always(word_index: int, params=TINY) -> dict[str, np.ndarray]:
    """Weights of a network that says one word whatever it sees."""
    weights = {name: 0 * value for name, value in random_weights(params).items()}
    weights["dense/bias"][word_index] = 20.0
    return weights


def open_page(browser, url: str, *, before: str = "") -> None:
    """Opens a page, with a script that runs before its own, where nothing has been kept."""
    kept = {"origin": "file://", "storageTypes": "indexeddb"}
    browser.get("about:blank")
    browser.execute_cdp_cmd("Storage.clearDataForOrigin", kept)
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": before})
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(url)
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def find(browser, element_id: str):
    return browser.find_element(By.ID, element_id)


def until(condition):
    """What a condition gives as soon as it is true; gives up after ten seconds."""
    deadline = time.monotonic() + 10
    while not (found := condition()):
        assert time.monotonic() < deadline, "this did not come true"
        time.sleep(0.02)
    return found


def draw(browser, strokes=(((-60, -50), (60, -50), (60, 40)), ((-60, 50), (50, 50)))) -> None:
    """Draws by finger where the browser has one, else by mouse; points from the board's middle."""
    board = find(browser, "board")
    browser.execute_script("arguments[0].scrollIntoView()", board)
    touch = browser.execute_script("return navigator.maxTouchPoints > 0")
    pointer = PointerInput("touch" if touch else "mouse", "hand")
    actions = ActionBuilder(browser, mouse=pointer, duration=20)
    for (x, y), *rest in strokes:
        actions.pointer_action.move_to(board, x, y).pointer_down()
        for x, y in rest:
            actions.pointer_action.move_to(board, x, y)
        actions.pointer_action.pointer_up()
    actions.perform()


def guesses(browser) -> list[tuple[str, float]]:
    rows = browser.execute_script(
        "return [...document.querySelectorAll('#guesses li')].map((row) => row.innerText)"
    )
    parts = [row.split("\n") for row in rows]
    return [(word, float(share.rstrip("%")) / 100) for word, share in parts]


def show(browser, tab: str) -> None:
    browser.execute_script(f"document.getElementById('tab-{tab}').click()")


def press(browser, text: str) -> None:
    browser.execute_script(
        "[...document.querySelectorAll('button')].find((b) => b.checkVisibility() && "
        "(b.ariaLabel || b.textContent).trim() === arguments[0]).click()",
        text,
    )


def text_of(browser, element_id: str) -> str:
    return find(browser, element_id).text


def ask(browser, question: str, drawings: list) -> list:
    """The page's answers to a question of its interface, or the reasons for none."""
    return browser.execute_async_script(
        f"""const [drawings, done] = arguments;
        Promise.all(drawings.map((strokes) =>
          drawingClassifier.{question}(strokes).catch((error) => error.message))).then(done);""",
        drawings,
    )


def raw_drawings(count: int) -> list:
    """Strokes as hands make them, crooked and straight, and single points, with times."""
    rng = np.random.default_rng(1)
    drawings = []
    for _ in range(count):
        strokes = []
        for _ in range(rng.integers(1, 5)):
            steps = rng.choice([-30.5, -4, 0, 0, 1, 3.25, 40], (2, rng.integers(1, 30)))
            xs, ys = np.cumsum(steps, axis=1).tolist()
            strokes.append([xs, ys, list(range(len(xs)))])
        if sum(len(stroke[0]) for stroke in strokes) > 1:
            drawings.append(strokes)
    return drawings


def test_weights_are_packed_within_half_a_step():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(5, 3, 7)).astype(np.float32)
    matrix[:, :, 2] = 0
    vector = rng.normal(size=5).astype(np.float32)
    packed = drawing_page.pack_weights([matrix, vector])
    assert len(packed) == 4 * (7 + 5) + 2 * 5 * 3 * 7
    floats, integers = np.frombuffer(packed[:48], "<f4"), np.frombuffer(packed[48:], "<i2")
    scales = np.abs(matrix).max(axis=(0, 1)) / 32767
    np.testing.assert_array_equal(floats[7:], vector)
    np.testing.assert_allclose(floats[:7], scales, rtol=1e-6, atol=1e-37)
    unpacked = integers.reshape(5, 3, 7) * floats[:7]
    assert (np.abs(unpacked - matrix) <= 0.501 * scales).all()


@pytest.mark.parametrize("changes", NETWORKS)
def test_any_network_guesses_as_tensorflow_does(wide, tmp_path, changes):
    params = dataclasses.replace(TINY, **changes)
    weights = random_weights(params)
    words = [f"word {i}" for i in range(params.num_classes)]
    open_page(wide, write_page(tmp_path, params, words, weights=weights))
    rng = np.random.default_rng(0)
    drawings = [random_strokes(rng) for _ in range(20)]
    expected = by_tensorflow(weights, [ink.strokes_to_ink(d) for d in drawings], params=params)
    for found, answer in zip(expected, ask(wide, "classify", drawings)):
        ours = {guess["word"]: guess["probability"] for guess in answer}
        np.testing.assert_allclose(
            [ours[word] for word in words], found["probabilities"], atol=2e-4
        )
        probabilities = [guess["probability"] for guess in answer]
        assert probabilities == sorted(probabilities, reverse=True)


UNUSABLE = [
    [],
    {"a": 1},
    [[[1, 2]]],
    [[[1, 2], [1]]],
    [[[], []]],
    [[[1, "2"], [1, 2]]],
    [[[1, 1e300], [1, 2]]],
    [[[-3e38, 3e38], [1, 2]]],
    [[[3], [4]]],
    [{"x": 1, "y": 2}],
    # Points [x, y] that could be taken for [xs, ys, times].
    [[[0, 0], [50, 100], [100, 0]], [[100, 0], [50, 30], [0, 0]]],
    [[[0, 0], [50, 60]], [[100, 0], [50, 30], [0, 70]]],
    [[[0, 0], [0, 100], [100, 100], [100, 0], [0, 0]]],
]


def test_strokes_are_simplified_and_refused_as_in_python(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    drawings = raw_drawings(200)
    assert ask(wide, "simplify", drawings) == [ink.simplify(strokes) for strokes in drawings]
    for strokes, reason in zip(UNUSABLE, ask(wide, "classify", UNUSABLE)):
        with pytest.raises(ValueError, match=re.escape(reason) + "$"):
            ink.drawing_to_ink(strokes)


def test_drawings_are_prepared_as_in_python(wide):
    wide.get("about:blank")
    raw = raw_drawings(60)
    rng = np.random.default_rng(0)
    drawings = [*raw, *([stroke[:2] for stroke in strokes] for strokes in raw)]
    for _ in range(60):
        strokes = random_strokes(rng)
        spacing = rng.choice([4, 15, 40])
        dense = resampled(strokes, spacing)
        whole = [np.rint(stroke).astype(int).tolist() for stroke in dense]
        drawings += [strokes, dense, whole]
    drawings += [[[list(range(900)), [0, 900] * 450, list(range(900))]]]  # 800,000 units long
    script = drawing_page.join_modules(["points"]) + (
        """return arguments[0].map((strokes) => Array.from(pointsModule.prepare(strokes)));"""
    )
    simplified = 0
    for strokes, answer in zip(drawings, wide.execute_script(script, drawings)):
        simplified += ink.prepare(strokes)[1]
        expected = ink.drawing_to_ink(strokes)
        np.testing.assert_array_equal(np.float32(answer).reshape(-1, 3), expected)
    assert 150 < simplified < 250 < len(drawings)


def test_typed_arrays_are_taken_and_what_is_not_a_number_is_refused(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    answers = wide.execute_async_script(
        """const done = arguments[0];
        const xs = [0, 0, 200, 200], ys = [0, 200, 200, 90];
        const dense = [...Array(90).keys()];
        const kinds = [Array, Uint8Array, Float32Array, Float64Array, Int16Array];
        const drawings = [
          ...kinds.map((kind) => [[kind.from(xs), kind.from(ys)]]),
          ...kinds.map((kind) => [[kind.from(dense), kind.from(dense)]]),
          [[[1, NaN], [1, 2]]], [[BigInt64Array.from([1n, 2n]), [1, 2]]],
        ];
        Promise.all(drawings.map((strokes) =>
          drawingClassifier.classify(strokes).catch((error) => error.message))).then(done);"""
    )
    assert all(isinstance(answer, list) for answer in answers[:10])
    assert answers[:5] == [answers[0]] * 5 and answers[5:10] == [answers[5]] * 5
    assert answers[10:] == ["a coordinate is not a number"] * 2


def test_what_is_drawn_is_guessed_taken_back_and_cleared(browser, tmp_path):
    open_page(browser, write_page(tmp_path))
    assert text_of(browser, "hint") and not guesses(browser)
    draw(browser)
    until(lambda: len(guesses(browser)) == 3)
    assert sum(share for _, share in guesses(browser)) == pytest.approx(1, abs=0.02)
    whole = guesses(browser)
    said = until(lambda: find(browser, "said").get_attribute("textContent"))
    assert said.split(",")[0].startswith(whole[0][0])
    press(browser, "Undo Ctrl Z")
    until(lambda: guesses(browser) and guesses(browser) != whole)
    ActionChains(browser).key_down("\ue009").send_keys("z").key_up("\ue009").perform()
    until(lambda: not guesses(browser))
    assert not find(browser, "undo").is_enabled()
    draw(browser)
    ActionChains(browser).send_keys("\ue017").perform()  # Delete
    until(lambda: not guesses(browser) and text_of(browser, "hint"))


def test_nothing_leaves_the_page_and_nothing_is_wider_than_it(browser, tmp_path):
    browser.execute_cdp_cmd("Network.enable", {})
    open_page(browser, write_page(tmp_path, classes=[MARKUP, "w" * 300, "кот"]))
    draw(browser)
    until(lambda: guesses(browser))
    for tab in ("see", "play", "teach", "draw"):
        show(browser, tab)
        if tab == "play":
            press(browser, "Start")
        if tab == "see":
            until(lambda: browser.find_elements(By.CSS_SELECTOR, "#see-chart svg"))
        width, inner = browser.execute_script("return [document.body.scrollWidth, innerWidth]")
        assert width <= inner, tab
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert urls and all(url.startswith(("file:", "blob:", "data:")) for url in urls)
    assert browser.get_log("browser") == []  # nor does the policy refuse what the page needs


def test_words_are_text_and_never_markup(wide, tmp_path):
    open_page(
        wide, write_page(tmp_path, classes=[MARKUP, "</script><b>", "&amp;"], weights=always(0))
    )
    draw(wide)
    until(lambda: guesses(wide))
    assert guesses(wide)[0][0] == MARKUP
    assert {word for word, _ in guesses(wide)} == {MARKUP, "</script><b>", "&amp;"}
    show(wide, "teach")
    find(wide, "teach-word").send_keys(MARKUP)
    press(wide, "Keep drawing")
    until(lambda: MARKUP in text_of(wide, "teach-list"))
    assert not wide.find_elements(By.CSS_SELECTOR, "img, b")


def test_a_game_from_its_start_to_its_end(browser, tmp_path):
    words = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
    params = dataclasses.replace(TINY, num_classes=7)
    url = write_page(tmp_path, params, words, weights=always(2, params))
    # Without chance the words come in their order.
    open_page(browser, url, before=MOVED_CLOCK + "Math.random = () => 0;")
    show(browser, "play")
    press(browser, "Start")
    for number, word in enumerate(words[:6], start=1):
        assert f"Word {number} of 6" in text_of(browser, "panel-play")
        assert re.fullmatch(rf"Draw: {word}\s*(20|19) s", text_of(browser, "task"))
        browser.execute_script("window.passed += 7.5")
        if word != "dog":
            draw(browser)
        if word == "cat":
            until(lambda: "It is cat! Recognised after 7." in text_of(browser, "panel-play"))
        else:
            if word != "dog":
                until(lambda: "cat" in text_of(browser, "panel-play"))
            browser.execute_script("window.passed += 12.6")
            text = f"Time is up: not recognised as {word}."
            until(lambda text=text: text in text_of(browser, "panel-play"))
        press(browser, "Next word" if number < 6 else "See how it went")
    end = text_of(browser, "panel-play")
    assert "1 of 6 recognised" in end
    cards = [card.text for card in browser.find_elements(By.CSS_SELECTOR, "#panel-play li")]
    assert cards[0] == "ant\nmissed; last guess: cat, 100%"
    assert re.fullmatch(r"cat\n7\.[5-9] s|cat\n8\.\d s", cards[2])
    assert cards[3] == "dog\nmissed; last guess: nothing was drawn"
    press(browser, "Play the missed words")
    assert "Word 1 of 5" in text_of(browser, "panel-play")
    assert text_of(browser, "task").startswith("Draw: ant")


def test_the_rules_of_the_game(wide):
    wide.get("about:blank")
    script = drawing_page.join_modules(["game"]) + (
        """const { Game, drawWords } = gameModule;
        const game = new Game(["ant", "bee"], 0.5);
        game.startRound(100);
        game.hear({ word: "ant", probability: 0.5 }, [1], 101);
        const atTheThreshold = game.round.over;
        game.hear({ word: "bee", probability: 0.9 }, [2], 102);
        game.hear({ word: "ant", probability: 0.51 }, [3], 103.5);
        const first = { ...game.round };
        game.hear({ word: "bee", probability: 1 }, [4], 104);
        const kept = game.round.guess.word;
        game.startRound(200);
        game.tick(219.9);
        const before = game.round.over;
        game.hear({ word: "bee", probability: 1 }, [5], 220);
        return [atTheThreshold, first, kept, before, game.round, game.isOver, game.missed,
          drawWords(["a", "b", "c"], 5).sort()];"""
    )
    at_threshold, first, kept, before, second, is_over, missed, words = wide.execute_script(script)
    assert not at_threshold and first["seconds"] == 3.5 and first["strokes"] == [3]
    assert kept == "ant"  # nothing is heard after the end
    assert not before and second["over"] and second["seconds"] is None
    assert is_over and missed == ["bee"] and words == ["a", "b", "c"]


def test_what_is_asked_while_it_answers_is_answered_once_and_last(wide):
    wide.get("about:blank")
    script = drawing_page.join_modules(["points", "network", "guesser"]) + (
        """const done = arguments[0];
        const seen = [];
        let release, now = 0;
        const task = async () => { const asked = now; await new Promise((r) => { release = r; });
          seen.push(asked); };
        const refresh = guesserModule.latestOnly(task);
        const first = refresh();
        for (now = 1; now < 5; now++) refresh();
        release();
        setTimeout(() => { release(); first.then(() => done(seen)); }, 0);"""
    )
    assert wide.execute_async_script(script) == [0, 5]


def test_how_it_sees_a_drawing(browser, tmp_path):
    open_page(browser, write_page(tmp_path))
    show(browser, "see")
    until(lambda: "Draw something first" in text_of(browser, "see-text"))
    draw(browser)
    until(lambda: "in 2 strokes" in text_of(browser, "see-text"))
    # Two lines with a corner in the first: three points and two.
    assert "reads the 5 that are marked" in text_of(browser, "see-text")
    chart = until(lambda: browser.find_elements(By.CSS_SELECTOR, "#see-chart svg"))[0]
    assert len(chart.find_elements(By.TAG_NAME, "circle")) == 3 * 2  # words and strokes
    label, legend = chart.get_attribute("aria-label"), text_of(browser, "see-chart")
    show(browser, "draw")
    word, share = guesses(browser)[0]
    assert f"in the end {word}" in label and f"{word} {share:.0%}" in legend


@pytest.fixture
def downloads(browser, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    options = {"behavior": "allow", "downloadPath": str(folder)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", options)
    return folder


def keep(browser, word: str) -> None:
    find(browser, "teach-word").clear()
    find(browser, "teach-word").send_keys(word)
    draw(browser)
    until(lambda: guesses_are_there(browser))
    press(browser, "Keep drawing")
    until(lambda: text_of(browser, "message").startswith("Kept"))
    browser.execute_script("document.getElementById('message').textContent = ''")


def guesses_are_there(browser) -> bool:
    return bool(browser.execute_script("return document.querySelector('#guesses').children.length"))


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
    until(lambda: text_of(browser, "teach-list").count("Save") == 2)
    assert "a/b 1" in text_of(browser, "teach-list") and "bee 2" in text_of(browser, "teach-list")
    press(browser, "Save all files")
    until(lambda: sorted(os.listdir(downloads)) == ["a_b.ndjson", "bee.ndjson"])
    documents = [json.loads(line) for line in (downloads / "bee.ndjson").read_text().splitlines()]
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
    convert(downloads, tmp_path / "records", num_shards=1)
    (record, *others) = read_records(tmp_path / "records/training.tfrecord-00000-of-00001")
    assert len(others) == 2
    simplified = ink.simplify(documents[0]["drawing"])
    expected_record = records.encode_record(ink.strokes_to_ink(simplified).tobytes(), 1)
    assert expected_record in [record, *others]
    browser.execute_script("window.confirm = () => true")
    press(browser, "Delete all drawings of bee")
    until(lambda: "bee" not in text_of(browser, "teach-list"))
    press(browser, "Delete all drawings of a/b")
    until(lambda: not text_of(browser, "teach-list"))


def test_files_are_opened_with_the_reasons_of_what_is_skipped(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    show(wide, "teach")
    good = ndjson_line("<b>cow</b>", [[[0, 9, 9], [0, 0, 9]], [[1, 2], [3, 4]]])
    damaged = tmp_path / "damaged.ndjson"
    damaged.write_bytes(
        good + b'{"word": "cow"}\n\nnonsense\n{"drawing"\n\xff\xfe\n[]\n' + good[:-1]
    )
    find(wide, "teach-files").send_keys(str(damaged))
    until(lambda: "2 drawings" in text_of(wide, "message"))
    for reason in ("malformed JSON (3)", "no drawing (1)", "not a JSON object (1)"):
        assert reason in text_of(wide, "message")
    assert "<b>cow</b> 2" in text_of(wide, "teach-list")
    press(wide, "Show the drawings of <b>cow</b>")
    until(lambda: len(wide.find_elements(By.CSS_SELECTOR, "#teach-list canvas")) == 2)
    press(wide, "Delete drawing 2 of <b>cow</b>")
    until(lambda: "<b>cow</b> 1" in text_of(wide, "teach-list"))
    long = tmp_path / "long.ndjson"
    strokes = [[list(range(50_000)), [x % 7 for x in range(50_000)]]]
    no_end = b'{"word": "endless", "drawing": [[[' + b"1," * 10_000_000
    long.write_bytes(ndjson_line("long", strokes) + no_end)
    find(wide, "teach-files").send_keys(str(long))
    until(lambda: "long.ndjson: 1 drawings; lines skipped: malf" in text_of(wide, "message"))
    many = tmp_path / "many.ndjson"
    many.write_bytes(ndjson_line("many", [[[0, 9], [0, 9]]]) * 10_001)
    find(wide, "teach-files").send_keys(str(many))
    until(lambda: "many.ndjson: 10000 drawings; the rest" in text_of(wide, "message"))


@pytest.mark.parametrize(
    "before, message",
    [
        ("delete window.Worker", "no Web Worker"),
        ("window.Worker = class { constructor() { throw new Error('no') } }", "no Web Worker"),
        ("indexedDB.open = () => { throw new Error('no') }", "keeps nothing"),
    ],
)
def test_without_what_a_browser_may_lack_it_says_so_and_still_guesses(
    wide, tmp_path, before, message
):
    open_page(wide, write_page(tmp_path), before=before)
    until(lambda: message in text_of(wide, "message"))
    draw(wide)
    until(lambda: guesses(wide))
    show(wide, "teach")
    keep(wide, "cow")
    assert "cow 1" in text_of(wide, "teach-list")


def test_full_storage_is_said_and_nothing_is_lost(wide, tmp_path):
    full = "throw new DOMException('Full', 'QuotaExceededError')"
    before = f"IDBObjectStore.prototype.add = () => {{ {full} }}"
    open_page(wide, write_page(tmp_path), before=before)
    show(wide, "teach")
    find(wide, "teach-word").send_keys("cow")
    draw(wide)
    until(lambda: guesses_are_there(wide))
    press(wide, "Keep drawing")
    until(lambda: "could not be kept: Full" in text_of(wide, "message"))
    assert find(wide, "undo").is_enabled()  # the drawing is still there
