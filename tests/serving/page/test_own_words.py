"""One's own words on the page: kept, learnt, guessed, and saved as a page with them inside."""

import json
import os
import re

import numpy as np
import pytest
from helpers import CLASSES, TINY, random_weights
from page_driver import (
    CORNER,
    always,
    ask,
    draw,
    evaluate,
    find,
    guesses,
    open_page,
    press,
    run_modules,
    show,
    text_of,
    until,
    write_page,
)
from selenium.webdriver.common.by import By

MARKUP = "</script><img src=x onerror=alert(1)><!--"
LINE = (((-80, 70), (-20, 66), (80, 60)),)
LEARNING = ["points", "network", "matrices", "learn", "vocabulary", "study", "scribble", "guesser"]


def keep(browser, word: str, strokes) -> None:
    find(browser, "teach-word").clear()
    find(browser, "teach-word").send_keys(word)
    draw(browser, strokes)
    press(browser, "Keep drawing")
    until(lambda: text_of(browser, "teach-status").startswith("Kept"))
    browser.execute_script("document.getElementById('teach-status').replaceChildren()")


def shifted(strokes, amount: int):
    return tuple(tuple((x + amount, y - amount) for x, y in stroke) for stroke in strokes)


def learnt(browser) -> bool:
    return "right (" in text_of(browser, "teach-report")


def teach(browser, words, *, times: int = 2) -> None:
    show(browser, "teach")
    for i in range(times):
        for word, strokes in zip(words, (CORNER, LINE)):
            keep(browser, word, shifted(strokes, 4 * i))
    until(lambda: learnt(browser))


def guessed(browser, strokes) -> list[str]:
    """The words of the list of guesses, likeliest first, once they are those of a drawing."""
    browser.execute_script("document.getElementById('guesses').replaceChildren()")
    draw(browser, strokes)
    until(lambda: guesses(browser) and not evaluate(browser, "document.querySelector('.away')"))
    words = [word for word, _ in guesses(browser)]
    press(browser, "Clear")
    return words


@pytest.fixture
def downloads(wide, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    options = {"behavior": "allow", "downloadPath": str(folder)}
    wide.execute_cdp_cmd("Browser.setDownloadBehavior", options)
    return folder


def test_after_the_second_drawing_of_the_second_word_it_guesses_them(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    show(wide, "teach")
    for word, strokes in (("hook", CORNER), ("dash", LINE), ("hook", shifted(CORNER, 4))):
        keep(wide, word, strokes)
        assert not find(wide, "teach-mode").is_displayed()
    keep(wide, "dash", shifted(LINE, 4))
    until(lambda: learnt(wide))
    show(wide, "draw")
    assert guessed(wide, shifted(CORNER, -4)) == ["hook", "dash"]
    assert guessed(wide, shifted(LINE, -4)) == ["dash", "hook"]
    press_choice(wide, "draw-mode", "3 words")
    until(lambda: set(guessed(wide, CORNER)) == set(CLASSES))


def press_choice(browser, element_id: str, text: str) -> None:
    until(
        lambda: evaluate(
            browser,
            """((id, text) => {
            const label = [...document.querySelectorAll(`#${id} label`)].find((l) =>
              l.textContent === text);
            label?.querySelector("input").click();
            return Boolean(label);
            })(arguments[0], arguments[1])""",
            element_id,
            text,
        )
    )
