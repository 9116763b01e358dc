"""The game: its rules, and a game from its start to its end, by mouse, by touch and by keyboard."""

import dataclasses
import io
import re

import numpy as np
import pytest
from helpers import TINY
from page_driver import (
    CORNER,
    GUESSER,
    always,
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
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

WORDS = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
PARAMS = dataclasses.replace(TINY, num_classes=7)

# A clock that the test alone moves, in seconds; without chance the words come in their order.
MOVED_CLOCK = """
window.passed = 0;
performance.now = () => 1000 * window.passed;
Math.random = () => 0;
"""


def pass_time(browser, seconds: float) -> None:
    browser.execute_script("window.passed += arguments[0]", seconds)


@pytest.fixture
def game(browser, tmp_path):
    """A page whose network says "cat" to all, at the start of a game."""
    url = write_page(tmp_path, PARAMS, WORDS, weights=always(2, PARAMS))
    open_page(browser, url, before=MOVED_CLOCK)
    show(browser, "play")
    return browser


def test_a_game_from_its_start_to_its_end(game):
    press(game, "Start")
    for number, word in enumerate(WORDS[:6], start=1):
        until(lambda text=f"Word {number} of 6\n{word}\nin 20 s": text in text_of(game, "card"))
        if number % 2:
            press(game, "Draw it")
        else:
            pass_time(game, 3)  # a breath, and it begins by itself
        until(lambda word=word: text_of(game, "task").split()[:2] == ["Draw", word])
        pass_time(game, 7.5)
        if word != "dog":
            draw(game)
        if word == "cat":
            until(lambda: re.search(r"Yes, a cat!\n.* after [78]\.", text_of(game, "card")))
        else:
            if word != "dog":
                until(lambda: "a cat" in text_of(game, "bubble"))
            pass_time(game, 12.6)
            said = f"Time is up: I did not recognise {'an' if word[0] in 'ae' else 'a'} {word}."
            until(lambda said=said: said in text_of(game, "card"))
        if number % 2:
            press(game, "Next word")
        else:
            pass_time(game, 6)  # and it goes on by itself
    until(lambda: "1 of 6 recognised" in text_of(game, "panel-play"))
    items = [item.text for item in game.find_elements(By.CSS_SELECTOR, ".rounds > li")]
    assert items[0].split("\n") == ["ant – missed", "I took it for a cat."]
    assert re.fullmatch(r"cat ✓ [78]\.\d s\nI took it for nothing else\.", items[2])
    assert items[3].split("\n") == ["You drew nothing.", "dog – missed"]
    press(game, "Play missed words")
    until(lambda: "Word 1 of 5\nant" in text_of(game, "card"))


def test_a_game_by_keyboard_alone(wide, tmp_path):
    url = write_page(tmp_path, PARAMS, WORDS[:7], weights=always(0, PARAMS))
    open_page(wide, url, before=MOVED_CLOCK)
    find(wide, "tab-draw").send_keys(Keys.ARROW_RIGHT)
    assert evaluate(wide, "document.activeElement.id") == "tab-play"

    def keys(*sent):
        ActionChains(wide).send_keys(*sent).perform()

    def focused() -> str:
        return evaluate(wide, "document.activeElement.textContent")

    while focused() != "Start":
        keys(Keys.TAB)
    keys(Keys.ENTER)
    for number in range(1, 7):
        until(lambda: focused() == "Draw it")
        keys(Keys.ENTER)
        until(lambda: evaluate(wide, "document.activeElement.id") == "board")
        if number == 1:
            keys(" ", *[Keys.ARROW_RIGHT] * 5)
            until(lambda: "Yes, an ant!" in text_of(wide, "card"))
            keys(" ", Keys.ENTER, Keys.ARROW_DOWN)  # meant for the drawing
            assert "Yes, an ant!" in text_of(wide, "card")
        else:
            while focused() != "Skip":
                keys(Keys.TAB)
            keys(Keys.ENTER)
        label = "Next word" if number < 6 else "See how it went"
        until(lambda label=label: label in text_of(wide, "card"))
        while focused() != label:
            keys(Keys.TAB)
        keys(Keys.ENTER)
    until(lambda: focused() == "1 of 6 recognised")


def test_nothing_is_hurried_where_there_is_no_limit(wide, tmp_path):
    url = write_page(tmp_path, PARAMS, WORDS, weights=always(2, PARAMS))
    open_page(wide, url, before=MOVED_CLOCK)
    show(wide, "play")
    wide.find_elements(By.CSS_SELECTOR, ".choice label")[2].click()
    press(wide, "Start")
    until(lambda: "Take your time" in text_of(wide, "card"))
    pass_time(wide, 1000)
    press(wide, "Draw it")
    pass_time(wide, 1000)
    wide.execute_script("return new Promise(requestAnimationFrame)")
    assert not find(wide, "card").is_displayed()
    assert not wide.find_element(By.CSS_SELECTOR, ".clock").is_displayed()
    press(wide, "Skip")
    until(lambda: "Skipped: I did not recognise an ant." in text_of(wide, "card"))


def test_a_game_pauses_where_it_cannot_be_seen_and_goes_on_with_its_time(game):
    press(game, "Start")
    press(game, "Draw it")
    pass_time(game, 5)
    game.execute_script(
        """Object.defineProperty(document, "hidden", { value: true, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
        delete document.hidden;"""
    )
    until(lambda: "Paused" in text_of(game, "card"))
    kept = evaluate(game, "JSON.parse(sessionStorage.getItem('game')).game")
    assert kept["number"] == 0 and kept["spent"] == 5
    pass_time(game, 500)
    press(game, "Go on")
    assert text_of(game, "task").split("\n")[-1] == "15"
    show(game, "draw")  # as a key or a script does: the tabs are not shown
    until(lambda: "Paused" in text_of(game, "card"))
    assert find(game, "panel-play").is_displayed()


def test_a_reload_loses_no_game_and_a_game_no_drawing(wide, tmp_path):
    url = write_page(tmp_path, PARAMS, WORDS, weights=always(2, PARAMS))
    open_page(wide, url, before=MOVED_CLOCK)
    draw(wide)
    before = until(lambda: guesses(wide))
    show(wide, "play")
    press(wide, "Start")
    press(wide, "Draw it")
    draw(wide, CORNER[:1])
    until(lambda: "cat" in text_of(wide, "panel-play"))
    pass_time(wide, 9)
    wide.execute_script("return new Promise((resolve) => setTimeout(resolve, 0))")
    wide.refresh()
    until(lambda: "Paused" in text_of(wide, "card"))
    press(wide, "Go on")
    assert 3 <= int(text_of(wide, "task").split("\n")[-1]) <= 11
    assert text_of(wide, "task").split()[:2] == ["Draw", "ant"]
    press(wide, "Undo")
    assert not find(wide, "undo").is_enabled()  # the one stroke was there again
    press(wide, "Pause")
    press(wide, "End the game")
    until(lambda: text_of(wide, "panel-play").startswith("6 words"))
    assert evaluate(wide, "document.activeElement.textContent") == "Start"
    show(wide, "draw")
    until(lambda: guesses(wide) == before)
    wide.refresh()
    assert find(wide, "panel-draw").is_displayed()


def test_what_was_guessed_goes_with_what_was_drawn(wide, tmp_path):
    url = write_page(tmp_path, PARAMS, WORDS, weights=always(2, PARAMS))
    open_page(wide, url, before=MOVED_CLOCK)
    show(wide, "play")
    press(wide, "Start")
    press(wide, "Draw it")
    draw(wide)
    until(lambda: "cat" in text_of(wide, "panel-play"))
    press(wide, "Clear")
    until(lambda: "cat" not in text_of(wide, "panel-play"))


def test_the_clock_is_said_to_those_who_do_not_see_it(wide, tmp_path):
    url = write_page(tmp_path, PARAMS, WORDS, weights=always(2, PARAMS))
    open_page(wide, url, before=MOVED_CLOCK)
    show(wide, "play")
    press(wide, "Start")
    said = "document.getElementById('said').textContent"
    until(lambda: evaluate(wide, said) == "Word 1 of 6: draw ant")
    press(wide, "Draw it")
    clock = wide.find_element(By.CSS_SELECTOR, ".clock")
    assert clock.get_attribute("role") == "timer"
    assert clock.get_attribute("aria-label") == "Seconds left" and clock.text == "20"
    pass_time(wide, 10.1)
    until(lambda: evaluate(wide, said) == "10 seconds left")
    pass_time(wide, 5)
    until(lambda: evaluate(wide, said) == "5 seconds left")


def test_the_drawings_of_a_game_are_saved_as_a_picture(wide, tmp_path):
    url = write_page(tmp_path, PARAMS, WORDS[:7], weights=always(2, PARAMS))
    grab = "URL.createObjectURL = (blob) => { window.saved = blob; return 'data:,'; };"
    open_page(wide, url, before=MOVED_CLOCK + f"if (window.document) {{ {grab} }}")
    show(wide, "play")
    press(wide, "Start")
    for number in range(6):
        press(wide, "Draw it")
        if number == 2:
            draw(wide)
            until(lambda: "Yes" in text_of(wide, "card"))
        else:
            press(wide, "Skip")
        press(wide, "Next word" if number < 5 else "See how it went")
    press(wide, "Save picture")
    until(lambda: evaluate(wide, "window.saved && window.saved.type === 'image/png'"))
    numbers = wide.execute_async_script(
        "window.saved.arrayBuffer().then((b) => arguments[0]([...new Uint8Array(b)]));"
    )
    picture = Image.open(io.BytesIO(bytes(numbers))).convert("L")
    assert picture.size == (1280, 120 + 2 * 464 + 40)
    shades = np.asarray(picture)
    cells = [(40 + 400 * (i % 3), 120 + 464 * (i // 3)) for i in range(6)]
    dark = [shades[y + 30 : y + 340, x + 40 : x + 360].min() < 60 for x, y in cells]
    assert dark == [False, False, True, False, False, False]


def test_at_the_end_drawings_are_drawn_again(wide):
    moments, halves = run_modules(
        wide,
        ["elements", "sketch", "replay"],
        """const strokes = [[[0, 1, 2], [0, 1, 2], [0, 100, 200]], [[5, 6], [5, 6], [9200, 9300]]];
        const moments = replayModule.moments(strokes);
        return [moments, [-1, 100, 449, 1000].map((t) => replayModule.drawnAt(strokes, moments, t)
          .map(([xs]) => xs.length))];""",
    )
    assert moments == [[0, 100, 200], [450, 550]]  # nine seconds of thinking are cut
    assert halves == [[], [2], [3], [3, 2]]
    (long,) = run_modules(
        wide,
        ["elements", "sketch", "replay"],
        """const times = Array.from({ length: 101 }, (_, i) => 200 * i);
        return replayModule.moments([[times, times, times]]);""",
    )
    assert long[0] == 0 and long[50] == pytest.approx(2000) and long[100] == pytest.approx(4000)


def test_the_rules_of_the_game(wide):
    result = run_modules(
        wide,
        ["game"],
        """const { Game } = gameModule;
        const game = new Game(["ant", "bee", "cat"], 0.5, 20);
        const ant = (probability) => ({ word: "ant", probability });
        game.startRound(100);
        game.hear(ant(0.5), [1], ["ant"], 101);
        const atTheThreshold = game.round.over;
        game.hear({ word: "bee", probability: 0.9 }, [2], ["ant", "bee"], 102);
        game.hear(null, [2, 2], ["ant", "bee"], 102.5);
        game.hear(ant(0.51), [3], ["ant", "bee", "ant"], 103.5);
        const first = { ...game.round };
        game.hear({ word: "bee", probability: 1 }, [4], [], 104);
        const kept = game.round.strokes;
        game.startRound(200);
        game.tick(219.9);
        const before = game.round.over;
        game.pause(219.9);
        game.tick(500);
        const paused = game.round.over;
        const copy = Game.restored(JSON.parse(JSON.stringify(game.state(500))));
        copy.goOn(1000);
        const left = copy.secondsLeft(1000.05);
        copy.hear({ word: "bee", probability: 1 }, [5], ["bee"], 1000.2);
        const late = { ...copy.round };
        copy.startRound(2000);
        copy.skip();
        const endless = new Game(["ant"], 0.5, null);
        endless.startRound(0);
        endless.tick(1e9);
        return [atTheThreshold, first, kept, before, paused, left, late, copy.round, copy.isOver,
          copy.missed, endless.round.over, endless.secondsLeft(1e9) === Infinity];""",
    )
    at_threshold, first, kept, before, paused, left, late, last, is_over, missed, *endless = result
    assert not at_threshold and first["seconds"] == 3.5 and first["strokes"] == [3]
    assert first["named"] == ["ant", "bee", "ant"]
    assert kept == [3]  # nothing is heard after the end
    assert not before and not paused and left == pytest.approx(0.05)
    assert late["over"] and late["seconds"] is None and not late["skipped"]
    assert last["skipped"] and is_over and missed == ["bee", "cat"]
    assert endless == [False, True]


def test_words_are_shuffled_with_none_lost(wide):
    words = run_modules(wide, ["game"], "return gameModule.shuffled(given[0], () => 0.99);", WORDS)
    assert words == WORDS[::-1]


def test_a_game_has_words_that_the_network_knows_where_there_are_enough(wide):
    words = run_modules(
        wide,
        [*GUESSER, "fair_words"],
        """const known = { a: 1, b: 0.25, c: 0.5, d: 0 };
        const words = ["a", "b", "c", "d", "e"];
        const four = (word) => [word, [0, 1, 2, 3].map((i) => [word, i])];
        const drawings = words.slice(0, 4).map(four);
        const guesser = { look: async ([word, i]) => ({ words, probabilities: words.map((other) =>
          Number(i < 4 * known[word] ? other === word : other === "e")) }) };
        const app = { examples: new Map(drawings), guesser };
        return [await fair_wordsModule.fairWords(words, 3, app),
          await fair_wordsModule.fairWords(words, 4, app),
          await fair_wordsModule.fairWords(["d"], 6, app)];""",
    )
    assert words == [["a", "c", "e"], ["a", "c", "e", "b"], ["d"]]


def test_nothing_flies_where_motion_is_reduced(wide):
    asked = run_modules(
        wide,
        ["confetti"],
        """let asked = 0;
        window.requestAnimationFrame = () => { asked += 1; };
        const canvas = document.createElement("canvas");
        const real = window.matchMedia;
        const counts = [true, false].map((matches) => {
          window.matchMedia = () => ({ matches });
          confettiModule.celebrate(canvas);
          return asked;
        });
        window.matchMedia = real;
        return counts;""",
    )
    assert asked == [0, 1]
