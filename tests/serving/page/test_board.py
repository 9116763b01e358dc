"""Drawing: by mouse, finger, pen and keyboard; what is taken back, and what is never lost."""

import numpy as np
import pytest
from page_driver import (
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
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

# A pen or a finger that a test leads over the board: kind, pointer, event, x and y in it.
LEAD = """
const board = document.getElementById("board");
board.setPointerCapture = () => {};
const { left, top } = board.getBoundingClientRect();
for (const [pointerType, pointerId, kind, x, y] of arguments[0]) {
  board.dispatchEvent(new PointerEvent(`pointer${kind}`, { pointerType, pointerId, button: 0,
    clientX: left + x, clientY: top + y }));
}
"""


def lead(browser, *events) -> None:
    browser.execute_script(LEAD, list(events))


def drawn(browser) -> list:
    """The strokes on the board, as they are kept for a reload: [xs, ys, times] each."""
    return evaluate(
        browser, "JSON.parse(sessionStorage.getItem('drawing') || '{\"strokes\": []}').strokes"
    )


def pixel(browser, x: float, y: float) -> int:
    """How much ink there is at a point of the board, from 0 to 255."""
    return browser.execute_script(
        """const board = document.getElementById("board");
        const pixels = board.width / board.clientWidth;
        return board.getContext("2d").getImageData(
          Math.round(arguments[0] * pixels), Math.round(arguments[1] * pixels), 1, 1).data[3];""",
        x,
        y,
    )


def test_what_is_drawn_is_guessed_taken_back_done_again_and_cleared(browser, tmp_path):
    open_page(browser, write_page(tmp_path))
    assert text_of(browser, "hint") and not guesses(browser)
    draw(browser)
    whole = guesses(browser)
    said = find(browser, "said").get_attribute("textContent")
    assert sum(share for _, share in whole) == pytest.approx(1, abs=0.02)
    assert f"{whole[0][0]} {whole[0][1]:.0%}" in said
    press(browser, "Undo")
    assert guesses(browser) and guesses(browser) != whole
    press(browser, "Redo")
    assert guesses(browser) == whole
    assert not find(browser, "redo").is_enabled()
    press(browser, "Clear")
    assert not guesses(browser) and text_of(browser, "hint")
    press(browser, "Undo")  # what was cleared is there again
    assert guesses(browser) == whole
    press(browser, "Undo")
    press(browser, "Undo")
    assert not guesses(browser)
    assert not find(browser, "undo").is_enabled()


def test_keys_take_back_do_again_and_clear_and_backspace_does_nothing(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    draw(wide)
    until(lambda: guesses(wide))
    control = "\ue009"

    def hold(*keys):
        chain = ActionChains(wide).key_down(control)
        for key in keys:
            chain = chain.send_keys(key)
        chain.key_up(control).perform()

    ActionChains(wide).send_keys(Keys.BACKSPACE).perform()
    assert len(drawn(wide)) == 2
    hold("z")
    assert len(drawn(wide)) == 1
    hold("y")
    assert len(drawn(wide)) == 2
    ActionChains(wide).send_keys(Keys.DELETE).perform()
    assert drawn(wide) == []
    hold("z")
    assert len(drawn(wide)) == 2


def test_keys_are_known_on_any_keyboard(wide):
    keys = [
        ("z", "KeyZ", "undo"),
        ("Z", "KeyZ", "undo"),  # Caps Lock
        ("я", "KeyZ", "undo"),  # Russian
        ("z", "KeyW", "undo"),  # French
        ("w", "KeyZ", None),
        ("y", "KeyY", "redo"),
    ]
    plain, shifted = run_modules(
        wide,
        ["keys"],
        """const held = { ctrlKey: true, metaKey: false, altKey: false };
        return [false, true].map((shiftKey) => given[0].map(([key, code]) =>
          keysModule.commandOf({ key, code, shiftKey, ...held })));""",
        keys,
    )
    assert plain == [command for *_, command in keys]
    assert shifted == ["redo"] * 4 + [None, "redo"]


def test_what_is_drawn_survives_tabs_and_a_reload(browser, tmp_path):
    open_page(browser, write_page(tmp_path))
    draw(browser)
    before = drawn(browser)
    likeliest = [(g["word"], g["probability"]) for g in ask(browser, "classify", [before])[0]]

    def are_shown():
        return [word for word, _ in guesses(browser)] == [word for word, _ in likeliest] and all(
            abs(share - expected) < 0.0051
            for (_, share), (_, expected) in zip(guesses(browser), likeliest)
        )

    until(are_shown)
    for tab in ("words", "see", "play", "teach", "draw"):
        show(browser, tab)
    assert drawn(browser) == before
    browser.refresh()
    until(are_shown)
    assert drawn(browser) == before
    draw(browser, [((-20, 0), (20, 0))])
    times = [stroke[2] for stroke in drawn(browser)]
    assert len(times) == 3 and times[1][-1] < times[2][0]


def test_a_first_dot_is_seen(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    lead(wide, ["mouse", 1, "down", 200, 150])
    assert pixel(wide, 200, 150) == 255
    lead(wide, ["mouse", 1, "up", 200, 150])
    assert pixel(wide, 200, 150) == 255 and pixel(wide, 220, 150) == 0
    assert text_of(wide, "hint")  # one point says nothing yet


def test_ink_ends_at_the_edge_and_a_new_stroke_begins_behind_it(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    width = evaluate(wide, "document.getElementById('board').clientWidth")
    lead(
        wide,
        ["mouse", 1, "down", width - 50, 100],
        ["mouse", 1, "move", width + 200, 150],
        ["mouse", 1, "move", width + 900, 500],
        ["mouse", 1, "move", width - 40, 200],
        ["mouse", 1, "move", width - 90, 200],
        ["mouse", 1, "up", width - 90, 200],
    )
    (first, _, _), (second, _, _) = drawn(wide)
    unit = 800 / max(width, evaluate(wide, "document.getElementById('board').clientHeight"))
    assert first == pytest.approx([(width - 50) * unit, width * unit], abs=0.2)
    assert second == pytest.approx([(width - 40) * unit, (width - 90) * unit], abs=0.2)


def test_a_pen_takes_over_from_the_palm_and_leaves_none_of_it(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    lead(
        wide,
        ["touch", 1, "down", 300, 300],  # the palm
        ["pen", 2, "down", 100, 100],
        ["touch", 1, "move", 310, 300],
        ["pen", 2, "move", 150, 100],
        ["pen", 2, "up", 150, 100],
        ["touch", 1, "up", 310, 300],
        ["touch", 3, "down", 320, 300],  # the palm once more
        ["touch", 3, "up", 320, 300],
    )
    ((xs, _, _),) = drawn(wide)
    assert len(xs) == 2 and xs[1] > xs[0]
    assert pixel(wide, 300, 300) == 0 and pixel(wide, 125, 100) == 255
    press(wide, "Undo")
    assert drawn(wide) == [] and not find(wide, "undo").is_enabled()


def test_a_second_finger_draws_nothing(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    lead(
        wide,
        ["touch", 1, "down", 100, 100],
        ["touch", 2, "down", 300, 300],
        ["touch", 2, "move", 350, 350],
        ["touch", 1, "move", 150, 100],
        ["touch", 2, "up", 350, 350],
        ["touch", 1, "up", 150, 100],
    )
    assert [len(xs) for xs, _, _ in drawn(wide)] == [2]


def test_the_keyboard_draws(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    board = find(wide, "board")
    board.send_keys(Keys.ARROW_RIGHT, " ", Keys.ARROW_RIGHT, Keys.ARROW_DOWN, " ", Keys.ARROW_LEFT)
    ((xs, ys, times),) = drawn(wide)
    width, height = evaluate(
        wide, "((b) => [b.clientWidth, b.clientHeight])(document.getElementById('board'))"
    )
    unit, step = 800 / max(width, height), min(width, height) / 32
    assert xs == pytest.approx([(width / 2 + k * step) * unit for k in (1, 2, 2)], abs=0.2)
    assert ys == pytest.approx([(height / 2 + k * step) * unit for k in (0, 0, 1)], abs=0.2)
    assert times == sorted(times) and times[0] == 0
    until(lambda: guesses(wide))
    board.send_keys(" ", Keys.SHIFT, Keys.ARROW_UP, Keys.SHIFT, Keys.ESCAPE)  # lifts the pen too
    assert [len(stroke[0]) for stroke in drawn(wide)] == [3, 2]


def test_two_arrow_keys_at_once_draw_a_diagonal(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    find(wide, "board").send_keys(" ")
    chain = ActionChains(wide)
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
        chain = chain.key_down(key)
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
        chain = chain.key_up(key)
    chain.send_keys(Keys.ARROW_LEFT, " ").perform()
    ((xs, ys, _),) = drawn(wide)
    step = xs[1] - xs[0]
    assert np.diff(xs) == pytest.approx([step, step, -step], abs=0.2)
    assert np.diff(ys) == pytest.approx([0, step, 0], abs=0.2) and step > 5


def test_all_that_is_drawn_stays_in_sight_when_the_window_turns(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    size = {"deviceScaleFactor": 1, "mobile": False}
    try:
        wide.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 900, "height": 400, **size}
        )
        width = until(lambda: evaluate(wide, "document.getElementById('board').clientWidth"))
        lead(
            wide,
            ["mouse", 1, "down", 5, 5],
            ["mouse", 1, "move", width - 5, 5],
            ["mouse", 1, "up", width - 5, 5],
        )
        before = drawn(wide)
        wide.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 400, "height": 800, **size}
        )
        ink_across = """(() => {
          const board = document.getElementById("board");
          const { data, width, height } = board.getContext("2d")
            .getImageData(0, 0, board.width, board.height);
          const columns = new Set();
          for (let at = 3; at < data.length; at += 4) {
            if (data[at]) columns.add(((at - 3) / 4) % width);
          }
          return [Math.min(...columns), Math.max(...columns), width];
        })()"""
        left, right, across = until(
            lambda: (lambda found: found[2] < 400 and found)(evaluate(wide, ink_across))
        )
        assert 0 < left < 0.02 * across + 3 and 0.98 * across - 3 < right < across - 1
        assert drawn(wide) == before
    finally:
        wide.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_steps_are_taken_back_and_forgotten_after_another(wide):
    steps = run_modules(
        wide,
        ["history"],
        """const history = new historyModule.History();
        const seen = [];
        history.push(["a"]);
        history.push(["a", "b"]);
        seen.push(history.undo(), history.undo(), history.undo(), history.canUndo);
        seen.push(history.redo(), history.canRedo);
        history.push(["c"]);
        seen.push(history.canRedo, history.undo());
        for (let i = 0; i < 600; i++) history.push([i]);
        seen.push(history.steps.length);
        return seen;""",
    )
    assert steps == [["a"], [], [], False, ["a"], True, False, ["a"], 500]
