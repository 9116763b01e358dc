"""What Python puts into the page, and the page as a whole: one file, opened from the disk."""

import base64
import re

import numpy as np
import pytest
import tensorflow as tf
from helpers import CLASSES, TINY, ndjson_line, random_strokes, random_weights
from page_driver import (
    always,
    draw,
    evaluate,
    find,
    guesses,
    open_page,
    press,
    requested_urls,
    run_modules,
    show,
    text_of,
    until,
    write_page,
)
from selenium.webdriver.common.by import By

from drawings import ink
from records import tfrecords
from serving import drawing_page, page_examples

MARKUP = "<img src=x onerror=alert(1)>"


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


def test_examples_are_unpacked_as_they_were(wide):
    rng = np.random.default_rng(0)
    examples = {
        "ant": [random_strokes(rng) for _ in range(6)],
        "cat": [[[[0], [255]], [[7, 8], [9, 10]]]],
    }
    packed = page_examples.pack(examples, CLASSES)
    unpacked = run_modules(
        wide, ["examples"], "return [...examplesModule.unpackExamples(...given)];", packed, CLASSES
    )
    assert dict(unpacked) == {"ant": examples["ant"][:4], "bee": [], "cat": examples["cat"]}
    assert page_examples.pack({}, CLASSES) == ""


def test_many_words_have_fewer_examples_each_that_fit(monkeypatch):
    rng = np.random.default_rng(0)
    words = [f"word {i}" for i in range(50)]
    examples = {word: [random_strokes(rng) for _ in range(4)] for word in words}
    whole = page_examples.pack(examples, words)
    monkeypatch.setattr(page_examples, "MAX_BYTES", len(whole) - 1)
    fewer = page_examples.pack(examples, words)
    assert 0.6 * len(whole) < len(fewer) < len(whole)
    assert base64.b64decode(fewer)[0] == 3


def test_examples_are_the_first_usable_drawings_of_files(tmp_path):
    square = [[[0, 9, 9, 0], [0, 0, 9, 9]]]
    raw = [[[0.5, 300], [7, 7], [0, 16]]]
    (tmp_path / "ant.ndjson").write_bytes(
        b"nonsense\n"
        + ndjson_line("ant", [[[0, 9] * 100, [0, 9] * 100]])
        + ndjson_line("ant", [[[1, 2], [3, 4]]], recognized=False)
        + ndjson_line("ant", square)
        + ndjson_line("ant", raw)
    )
    (tmp_path / "elk.ndjson").write_bytes(ndjson_line("elk", square))
    examples = page_examples.from_ndjson(str(tmp_path), CLASSES)
    assert examples == {"ant": [square, ink.simplify(raw)]}
    with pytest.raises(ValueError, match="no ndjson files there"):
        page_examples.from_ndjson(str(tmp_path), ["bee"])


def test_examples_are_taken_from_records_as_far_as_ink_holds_them(tmp_path):
    strokes = [[[0, 255, 255], [0, 0, 255]], [[10, 20], [200, 100]]]
    paths = []
    for number, indices in enumerate([[2, 2, 0], [2] * 9]):
        paths.append(str(tmp_path / f"{number}.tfrecord"))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for index in indices:
                data = ink.strokes_to_ink(strokes).tobytes()
                writer.write(tfrecords.encode_record(data, index))
    examples = page_examples.from_records(paths, CLASSES)
    assert examples == {"ant": [strokes], "bee": [], "cat": [strokes] * 4}


def test_it_says_what_it_is_and_how_often_it_is_right(wide, tmp_path):
    evaluation = {"accuracy": 0.6113, "top_5_accuracy": 0.8519, "drawings": 11704}
    open_page(wide, write_page(tmp_path, evaluation=evaluation))
    facts = evaluate(wide, "document.querySelector('.facts').innerText")
    assert facts.startswith(
        "3 words · right 61% of the time · drawings: Quick, Draw! by Google, CC"
    )
    version = re.search(r"version (\w{8})$", facts)[1]
    press(wide, "About this page")
    about = text_of(wide, "about")
    assert "It is right about 61% of 11,704 drawings that it had not seen; 85% within five" in about
    assert version in about and "Creative Commons Attribution 4.0" in about
    press(wide, "Close")
    open_page(wide, write_page(tmp_path, weights=always(0)))
    facts = evaluate(wide, "document.querySelector('.facts').innerText")
    assert "right" not in facts and version not in facts


def test_nothing_leaves_the_page_and_nothing_is_wider_than_it(browser, tmp_path):
    browser.execute_cdp_cmd("Network.enable", {})
    examples = {"кот": [[[[0, 255], [0, 255]]]]}
    url = write_page(tmp_path, classes=[MARKUP, "w" * 300, "кот"], examples=examples)
    open_page(browser, url)
    draw(browser)
    until(lambda: guesses(browser))
    for tab in ("see", "words", "play", "teach", "draw"):
        show(browser, tab)
        if tab == "see":
            until(lambda: browser.find_elements(By.CSS_SELECTOR, "#see-chart svg"))
        width, inner = evaluate(browser, "[document.documentElement.scrollWidth, innerWidth]")
        assert width <= inner, tab
    urls = requested_urls(browser)
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
    until(lambda: MARKUP in text_of(wide, "bubble"))
    show(wide, "words")
    assert MARKUP in text_of(wide, "words-list")
    show(wide, "teach")
    find(wide, "teach-word").send_keys(MARKUP)
    press(wide, "Keep drawing")
    until(lambda: MARKUP in text_of(wide, "teach-list"))
    assert not wide.find_elements(By.CSS_SELECTOR, "img, b")


@pytest.mark.parametrize("policy", ["script-src 'self'", "sandbox"])
def test_where_no_program_runs_the_page_says_so(wide, tmp_path, policy):
    page = (tmp_path / "inner").with_suffix(".html")
    page.write_text(
        drawing_page.page(
            random_weights(TINY), params=TINY, temperature=1.0, classes=CLASSES
        ).replace(
            "<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">', 1
        )
    )
    sandbox = "sandbox" if policy == "sandbox" else ""
    outer = tmp_path / "outer.html"
    outer.write_text(f'<iframe {sandbox} src="inner.html" width="600" height="400"></iframe>')
    wide.get(f"file://{outer}")
    wide.switch_to.frame(0)
    assert "This page is a program" in wide.find_element(By.TAG_NAME, "body").text
    wide.switch_to.default_content()


def test_a_page_that_runs_does_not_say_that_it_does_not(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    assert not wide.find_elements(By.ID, "dead")
    assert "This page is a program" not in wide.find_element(By.TAG_NAME, "body").text
