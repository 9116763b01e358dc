"""What the tests of the drawing page share: pages of tiny networks, and hands that use them."""

from __future__ import annotations

import json
import pathlib
import time

import numpy as np
from helpers import CLASSES, TINY, random_weights
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By

from serving import drawing_page

# The module that guesses, with those that it imports.
GUESSER = list(drawing_page.GUESSING_MODULES)

# A right angle and a line below it, from the board's middle.
CORNER = (((-60, -50), (60, -50), (60, 40)), ((-60, 50), (50, 50)))


def write_page(
    folder: pathlib.Path,
    params=TINY,
    classes=CLASSES,
    *,
    weights=None,
    temperature: float = 1.0,
    **facts,
) -> str:
    """Writes a page; returns its URL."""
    path = folder / "draw.html"
    weights = weights or random_weights(params)
    path.write_text(
        drawing_page.page(weights, params=params, temperature=temperature, classes=classes, **facts)
    )
    return f"file://{path}"


def always(word_index: int, params=TINY) -> dict[str, np.ndarray]:
    """Weights of a network that says one word whatever it sees."""
    weights = {name: 0 * value for name, value in random_weights(params).items()}
    weights["dense/bias"][word_index] = 20.0
    return weights


def open_page(browser, url: str, *, before: str = "") -> None:
    """Opens a page, with a script that runs before its own, where nothing has been kept."""
    kept = {"origin": "file://", "storageTypes": "all"}
    browser.get("about:blank")
    browser.execute_cdp_cmd("Storage.clearDataForOrigin", kept)
    fresh = "if (!window.name) { window.name = 'opened'; sessionStorage.clear(); }"
    added = [
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        for source in (fresh, before)
    ]
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(url)
    for script in added:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def run_modules(browser, modules: list[str], script: str, *arguments):
    """Runs a script that knows some of the page's modules, in an empty page; its promise's value.

    The script is the body of an asynchronous function; module `game` is `gameModule` in it.
    """
    if browser.current_url != "about:blank":
        browser.get("about:blank")
    return browser.execute_async_script(
        f"""{drawing_page.join_modules(modules)}
        const done = arguments[arguments.length - 1];
        const run = async (...given) => {{ {script} }};
        run(...arguments).then(done, (error) => done(`${{error}} ${{error.stack}}`));""",
        *arguments,
    )


def find(browser, element_id: str):
    return browser.find_element(By.ID, element_id)


def text_of(browser, element_id: str) -> str:
    return find(browser, element_id).text


def evaluate(browser, expression: str, *arguments):
    """The value of an expression in the page."""
    return browser.execute_script(f"return {expression}", *arguments)


def until(condition):
    """What a condition gives as soon as it is true; gives up after two minutes."""
    deadline = time.monotonic() + 120
    while not (value := condition()):
        assert time.monotonic() < deadline, "this did not come true"
        time.sleep(0.02)
    return value


def draw(browser, strokes=CORNER, *, by: str = "") -> None:
    """Draws by finger where the browser has one, else by mouse, unless `by` says what with; points
    are counted from the board's middle."""
    board = find(browser, "board")
    touch = evaluate(browser, "navigator.maxTouchPoints > 0")
    pointer = PointerInput(by or ("touch" if touch else "mouse"), "hand")
    actions = ActionBuilder(browser, mouse=pointer, duration=10)
    for (x, y), *rest in strokes:
        actions.pointer_action.move_to(board, x, y).pointer_down()
        for x, y in rest:
            actions.pointer_action.move_to(board, x, y)
        actions.pointer_action.pointer_up()
    actions.perform()


def settle(browser) -> None:
    """Waits until all that is shown is of what is drawn now."""
    until(lambda: not evaluate(browser, "document.querySelectorAll('[aria-busy=true]').length"))


def guesses(browser) -> list[tuple[str, float]]:
    """What the list of guesses shows of what is drawn now."""
    settle(browser)
    rows = evaluate(
        browser,
        "[...document.querySelectorAll('#guesses li')].map((row) =>"
        "  ['.word', '.share'].map((part) => row.querySelector(part).textContent))",
    )
    return [(word, float(share.rstrip("%")) / 100) for word, share in rows]


def show(browser, tab: str) -> None:
    browser.execute_script(f"document.getElementById('tab-{tab}').click()")


def press(browser, text: str) -> None:
    """Presses the visible button of that name."""
    until(
        lambda: evaluate(
            browser,
            """((name) => {
            const button = [...document.querySelectorAll('button')].find((b) =>
              b.checkVisibility() && (b.ariaLabel || b.textContent).trim() === name);
            button?.click();
            return Boolean(button);
            })(arguments[0])""",
            text,
        )
    )


def ask(browser, question: str, drawings: list) -> list:
    """The page's answers to a question of its interface, or the reasons for none."""
    return browser.execute_async_script(
        f"""const [drawings, done] = arguments;
        Promise.all(drawings.map((strokes) =>
          drawingClassifier.{question}(strokes).catch((error) => error.message))).then(done);""",
        drawings,
    )


def requested_urls(browser) -> list[str]:
    """What the page asked for since it was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
