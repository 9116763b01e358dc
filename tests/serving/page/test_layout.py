"""The page fits every window, is usable by all, and looks right in the dark and on paper."""

import contextlib
import dataclasses
import importlib.util
import pathlib

import pytest
from helpers import TINY
from page_driver import (
    always,
    draw,
    evaluate,
    find,
    guesses,
    open_page,
    press,
    settle,
    show,
    text_of,
    until,
    write_page,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

# CSS pixels: phones, tablets, desks, whiteboards, both ways round; and a desk at 200%.
SIZES = [
    (320, 568),
    (568, 320),
    (375, 667),
    (667, 375),
    (390, 844),
    (844, 390),
    (768, 1024),
    (1024, 768),
    (1280, 900),
    (640, 450),
    (2560, 1440),
    (3840, 2160),
    (2160, 3840),
]
# No whole drawing of the board should be smaller than this share of the window.
MIN_BOARD = 0.42

WORDS = ["ant", "hot air balloon", "cat", "The Great Wall of China", "elk", "fox", "gnu"]
PARAMS = dataclasses.replace(TINY, num_classes=7)
EXAMPLES = {word: [[[[0, 255, 9], [0, 255, 200]]]] * 3 for word in WORDS}


@contextlib.contextmanager
def window(browser, width: int, height: int):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# Nothing in a game begins or ends by itself.
NO_HURRY = "performance.now = ((now) => () => now)(performance.now())"


@contextlib.contextmanager
def media(browser, **features: str):
    """The page as somebody sees it who prefers so."""
    wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture
def page(wide, tmp_path):
    url = write_page(tmp_path, PARAMS, WORDS, weights=always(3, PARAMS), examples=EXAMPLES)
    open_page(wide, url, before="Math.random = () => 0;")
    return wide


def boxes(browser, *selectors: str) -> list[dict]:
    return evaluate(
        browser,
        "arguments[0].map((s) => document.querySelector(s).getBoundingClientRect().toJSON())",
        list(selectors),
    )


def assert_visible(browser, width: int, height: int, *selectors: str) -> None:
    for selector, box in zip(selectors, boxes(browser, *selectors)):
        inside = box["left"] >= 0 and box["top"] >= 0
        inside = inside and box["right"] <= width and box["bottom"] <= height
        assert inside and box["width"] and box["height"], (selector, box)


def test_a_game_fits_every_window_and_nothing_scrolls(page):
    play(page)
    page.execute_script("document.querySelector('#task strong').textContent = 'animal migration'")
    until(lambda: "The Great Wall of China" in text_of(page, "bubble"))
    for width, height in SIZES:
        with window(page, width, height):
            until(lambda size=[width, height]: evaluate(page, "[innerWidth, innerHeight]") == size)
            assert_visible(
                page, width, height, "#board", "#task strong", ".clock", "#bubble", "#undo"
            )
            scrolls = "document.documentElement.scrollHeight > innerHeight"
            assert not evaluate(page, scrolls), (width, height)
            (board,) = boxes(page, "#board")
            share = board["width"] * board["height"] / (width * height)
            assert share > MIN_BOARD, (width, height, share)


def test_the_guesses_are_in_sight_in_every_window(page):
    draw(page)
    until(lambda: guesses(page))
    for width, height in SIZES:
        with window(page, width, height):
            until(lambda size=[width, height]: evaluate(page, "[innerWidth, innerHeight]") == size)
            third = "#guesses li:nth-child(3)"
            assert_visible(page, width, height, "#board", "#bubble", "#tab-teach", third)


def test_the_board_keeps_its_size_while_one_draws(page):
    for width, height in ((320, 568), (667, 375)):
        with window(page, width, height):
            until(lambda width=width: evaluate(page, "innerWidth") == width)
            press(page, "Clear")
            until(lambda: not guesses(page))
            (before,) = boxes(page, "#board")
            draw(page)
            until(lambda: guesses(page))
            assert boxes(page, "#board") == [before]


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which a package for another tool has with it."""
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec and spec.origin
    return (pathlib.Path(spec.origin).parent / "axe.min.js").read_text()


def start(browser) -> None:
    show(browser, "play")
    press(browser, "Start")


def play(browser) -> None:
    """The second round; the first has the word that is always said."""
    start(browser)
    press(browser, "Draw it")
    press(browser, "Skip")
    next_round(browser)


def next_round(browser) -> None:
    press(browser, "Next word")
    press(browser, "Draw it")
    draw(browser)
    until(lambda: "The Great Wall" in text_of(browser, "panel-play"))


def end(browser) -> None:
    """From the pause of the second round."""
    press(browser, "Go on")
    press(browser, "Skip")
    for _ in range(4):
        press(browser, "Next word")
        press(browser, "Draw it")
        press(browser, "Skip")
    press(browser, "See how it went")
    browser.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true })")


def see(browser) -> None:
    show(browser, "see")
    settle(browser)
    assert browser.find_elements(By.CSS_SELECTOR, "#see-chart svg")


def teach(browser) -> None:
    show(browser, "teach")
    find(browser, "teach-word").send_keys("cow")
    draw(browser)
    press(browser, "Keep drawing")
    press(browser, "Show the drawings of cow")


def learn(browser) -> None:
    """Words that were learnt, one of them taken for the other."""
    # Each drawing has a number of its own by chance.
    browser.execute_script("let now = 0; Math.random = () => (now += 0.01) % 1")
    for word in ("hook", "dash"):
        for _ in range(2):
            find(browser, "teach-word").clear()
            find(browser, "teach-word").send_keys(word)
            draw(browser)
            press(browser, "Keep drawing")
            until(lambda: text_of(browser, "teach-status").startswith("Kept"))
            browser.execute_script("document.getElementById('teach-status').replaceChildren()")
    until(lambda: "It confuses" in text_of(browser, "teach-report"))


# Ways through the page, each on one page: the states on it, and how each is come to from the last.
WAYS = {
    "drawing": {
        "empty": lambda browser: None,
        "drawn": lambda browser: (draw(browser), until(lambda: guesses(browser))),
        "see": see,
        "about": lambda browser: press(browser, "About this page"),
    },
    "words": {
        "words": lambda browser: show(browser, "words"),
        "chosen": lambda browser: press(browser, "elk"),
    },
    "game": {
        "start": lambda browser: show(browser, "play"),
        "word": lambda browser: press(browser, "Start"),
        "missed": lambda browser: (press(browser, "Draw it"), press(browser, "Skip")),
        "round": next_round,
        "pause": lambda browser: press(browser, "Pause"),
        "end": end,
    },
    "teaching": {"teach": teach, "learn": learn},
}


def violations(browser, rules: str = "{}") -> list:
    """What axe-core finds, and where."""
    return browser.execute_async_script(
        """const [options, done] = arguments;
        document.getAnimations().forEach((animation) => animation.finish());
        axe.run(JSON.parse(options)).then(({ violations }) => done(violations.map(({ id, nodes }) =>
          [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])])));""",
        rules,
    )


@pytest.mark.parametrize("way", WAYS)
def test_axe_finds_nothing_in_the_light_in_the_dark_and_on_a_phone(page, axe, way):
    page.execute_script(axe)
    page.execute_script(NO_HURRY)
    for state, come in WAYS[way].items():
        come(page)
        with media(page, prefers_color_scheme="light", prefers_reduced_motion="reduce"):
            assert violations(page) == [], state
            with window(page, 390, 844):
                assert violations(page) == [], state
        with media(page, prefers_color_scheme="dark", prefers_reduced_motion="reduce"):
            assert violations(page, '{"runOnly": ["color-contrast"]}') == [], state


def luminance(color: str) -> float:
    """WCAG's relative luminance of a colour as a style is computed to: "rgb(1, 2, 3)"."""
    channels = [float(value) / 255 for value in color.strip("rgba()").split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_what_is_used_has_borders_that_are_seen(page):
    style = """[...arguments[0]].map((selector) => {
      document.getAnimations().forEach((animation) => animation.finish());
      const element = document.querySelector(selector);
      return [getComputedStyle(element).borderTopColor,
        getComputedStyle(document.body).backgroundColor, getComputedStyle(element).backgroundColor];
    })"""
    used = [".drawing", "#voice", "#words-search", "#teach-word", "#undo"]
    draw(page)
    until(lambda: guesses(page))
    for scheme in ("light", "dark"):
        with media(page, prefers_color_scheme=scheme, prefers_reduced_motion="reduce"):
            for selector, colors in zip(used, evaluate(page, style, used)):
                border, *backs = map(luminance, colors)
                for back in backs:
                    light, dark = max(border, back) + 0.05, min(border, back) + 0.05
                    assert light / dark >= 3, (scheme, selector)


def test_pictures_made_in_the_dark_are_seen_in_the_light(page):
    with media(page, prefers_color_scheme="dark"):
        teach(page)
        until(lambda: page.find_elements(By.CSS_SELECTOR, ".cards svg"))
        stroke = "getComputedStyle(document.querySelector('.cards svg')).stroke"
        assert luminance(evaluate(page, stroke)) > 0.7
    assert luminance(evaluate(page, stroke)) < 0.05


def test_what_is_printed_from_the_dark_is_black_on_white(page):
    with media(page, prefers_color_scheme="dark"):
        draw(page)
        until(lambda: guesses(page))
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        try:
            back = evaluate(
                page, "getComputedStyle(document.querySelector('.drawing')).backgroundColor"
            )
            assert luminance(back) == 1
            page.execute_script("window.dispatchEvent(new Event('beforeprint'))")
            darkest = """(() => {
              const board = document.getElementById("board");
              const { data } = board.getContext("2d").getImageData(0, 0, board.width, board.height);
              let brightest = 0;
              for (let at = 0; at < data.length; at += 4) {
                if (data[at + 3] === 255) brightest = Math.max(brightest, data[at]);
              }
              return brightest;
            })()"""
            assert evaluate(page, darkest) == 0
        finally:
            page.execute_script("window.dispatchEvent(new Event('afterprint'))")
            page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_high_contrast_keeps_the_bars_and_the_open_tab(page):
    draw(page)
    until(lambda: guesses(page))
    with media(page, forced_colors="active"):
        bar = "getComputedStyle(document.querySelector('.bar span')).backgroundColor"
        track = "getComputedStyle(document.querySelector('.bar')).backgroundColor"
        assert evaluate(page, bar) != evaluate(page, track)
        outline = "getComputedStyle(document.getElementById('tab-{}')).outlineStyle"
        assert evaluate(page, outline.format("draw")) == "solid"
        assert evaluate(page, outline.format("play")) == "none"


def test_tabs_are_gone_through_by_keys(page):
    tab = find(page, "tab-draw")
    for key, name in (
        (Keys.END, "teach"),
        (Keys.ARROW_RIGHT, "draw"),
        (Keys.ARROW_LEFT, "teach"),
        (Keys.HOME, "draw"),
    ):
        tab.send_keys(key)
        tab = find(page, f"tab-{name}")
        assert evaluate(page, "document.activeElement.id") == f"tab-{name}"
        assert find(page, f"panel-{name}").is_displayed()
        assert tab.get_attribute("aria-selected") == "true"
