"""The core of the page in Firefox and WebKit, where they are installed."""

import pytest
from helpers import TINY, random_weights
from page_driver import (
    always,
    ask,
    draw,
    evaluate,
    find,
    guesses,
    press,
    show,
    text_of,
    until,
    write_page,
)

import browser as browsers


@pytest.fixture(scope="module", params=["firefox", "webkit"])
def other(request):
    if not browsers.has(request.param):
        pytest.skip(f"{request.param} is not installed with its driver, or has no display")
    with browsers.opened_other(request.param) as browser:
        browser.set_window_size(1100, 800)
        yield browser


def test_it_draws_guesses_takes_back_and_keeps(other, tmp_path):
    other.get(write_page(tmp_path, weights=always(1)))
    draw(other)
    said = "document.getElementById('bubble').textContent"
    until(lambda: evaluate(other, said) == "I know, it’s a bee!")
    assert guesses(other)[0] == ("bee", 1.0)
    press(other, "Clear")
    until(lambda: not guesses(other))
    press(other, "Undo")
    until(lambda: guesses(other))
    show(other, "see")
    until(lambda: "reads the 5 that are marked" in text_of(other, "see-text"))
    show(other, "teach")
    find(other, "teach-word").send_keys("cow")
    press(other, "Keep drawing")
    until(lambda: text_of(other, "teach-status").startswith("Kept 1 of cow"))


def test_it_plays(other, tmp_path):
    other.get(write_page(tmp_path, weights=always(1)))
    show(other, "play")
    press(other, "Start")
    for number in range(3):
        press(other, "Draw it")
        press(other, "Skip")
        press(other, "Next word" if number < 2 else "See how it went")
    until(lambda: "0 of 3 recognised" in text_of(other, "panel-play"))


def test_a_dot_is_seen(other, tmp_path):
    other.get(write_page(tmp_path))
    draw(other, [[(0, 0)]])
    dot = """(() => {
      const board = document.getElementById("board");
      const [x, y] = [board.width / 2, board.height / 2].map(Math.round);
      return board.getContext("2d").getImageData(x, y, 1, 1).data[3];
    })()"""
    assert evaluate(other, dot) == 255


def test_it_guesses_the_same_in_every_browser(other, wide, tmp_path):
    url = write_page(tmp_path, weights=random_weights(TINY))
    drawings = [[[[0, 9, 40], [3, 80, 0]]], [[[0, 200, 7], [3, 1, 90]], [[5, 6], [7, 8]]]]
    answers = []
    for browser in (other, wide):
        browser.get(url)
        answers.append(ask(browser, "classify", drawings))
    for one, two in zip(*answers):
        assert [guess["word"] for guess in one] == [guess["word"] for guess in two]
        shares = [guess["probability"] for guess in two]
        assert [guess["probability"] for guess in one] == pytest.approx(shares, abs=1e-5)
