"""One's own words on the page: kept, learnt, guessed, and saved as a page with them inside."""

import re

import numpy as np
import pytest
from helpers import CLASSES, ndjson_line, random_strokes
from page_driver import (
    CORNER,
    GUESSER,
    draw,
    evaluate,
    find,
    guesses,
    open_page,
    press,
    run_modules,
    settle,
    show,
    text_of,
    until,
    write_page,
)
from selenium.webdriver.common.by import By

MARKUP = "</script><img src=x onerror=alert(1)><!--"
LINE = (((-80, 70), (-20, 66), (80, 60)),)
OWN_WORDS = [*GUESSER, "own_words"]


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
    """The words of the list of guesses of a drawing, likeliest first."""
    draw(browser, strokes)
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


def test_both_together_guess_the_words_of_the_network_as_well(wide, tmp_path):
    rng = np.random.default_rng(0)
    examples = {word: [random_strokes(rng)] for word in CLASSES}
    open_page(wide, write_page(tmp_path, examples=examples))
    teach(wide, ("hook", "bee"))
    press_choice(wide, "teach-mode", "Both")
    until(lambda: "drawings of the 3 words" in text_of(wide, "teach-report"))
    show(wide, "draw")
    words = guessed(wide, CORNER)
    assert sorted(words) == ["ant", "bee", "cat", "hook"]  # a word of both has one place


def test_words_of_files_that_are_opened_are_guessed(wide, tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for word in ("hook", "dash"):
        paths.append(tmp_path / f"{word}.ndjson")
        lines = [ndjson_line(word, random_strokes(rng), key_id=f"{i}") for i in range(3)]
        paths[-1].write_bytes(b"".join(lines))
    open_page(wide, write_page(tmp_path))
    show(wide, "teach")
    find(wide, "teach-files").send_keys("\n".join(map(str, paths)))
    until(lambda: learnt(wide))
    assert "of 6 right" in text_of(wide, "teach-report")
    show(wide, "draw")
    assert set(guessed(wide, CORNER)) == {"hook", "dash"}


def test_what_was_taught_is_taken_back_with_its_drawings(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    teach(wide, ("hook", "dash"))
    press(wide, "Delete all drawings of hook")
    press(wide, "Delete all 2")
    until(lambda: not text_of(wide, "teach-report"))
    assert not find(wide, "teach-mode").is_displayed()
    show(wide, "draw")
    assert set(guessed(wide, CORNER)) == set(CLASSES)


def test_a_page_is_saved_with_the_words_inside_and_saved_again(wide, downloads, tmp_path):
    open_page(wide, write_page(tmp_path))
    teach(wide, (MARKUP, "dash"))
    saved = downloads / "draw.html"
    press(wide, "Save as a page")
    until(saved.exists)
    open_page(wide, f"file://{saved}")  # where nothing has been kept
    show(wide, "teach")
    until(lambda: learnt(wide))
    show(wide, "draw")
    assert guessed(wide, shifted(CORNER, -4)) == [MARKUP, "dash"]
    assert not wide.find_elements(By.CSS_SELECTOR, "img")
    assert wide.get_log("browser") == []  # the policy allows the program that was written anew
    show(wide, "teach")
    keep(wide, "dash", shifted(LINE, 9))
    wide.refresh()  # what was added stays with this page, and what was inside is there once
    show(wide, "teach")
    until(lambda: kept(wide) == [f"{MARKUP} 2", "dash 3"])
    saved.unlink()
    press(wide, "Save as a page")
    until(saved.exists)
    open_page(wide, f"file://{saved}")
    show(wide, "teach")
    until(lambda: kept(wide) == [f"{MARKUP} 2", "dash 3"])
    open_page(wide, write_page(tmp_path))
    show(wide, "teach")
    assert kept(wide) == []


def kept(browser) -> list[str]:
    """The names and the numbers of what is kept."""
    return evaluate(
        browser, "[...document.querySelectorAll('.kept .name')].map((name) => name.textContent)"
    )


def test_a_page_whose_words_were_damaged_opens_as_one_without(wide, tmp_path):
    url = write_page(tmp_path)
    page = tmp_path / "draw.html"
    damaged = '<script type="text/plain" id="kept">7\n{"word": 7}\nnonsense\n</script>'
    text = page.read_text().replace('<script id="program">', damaged + '<script id="program">')
    page.write_text(text)
    open_page(wide, url)
    show(wide, "draw")
    assert set(guessed(wide, CORNER)) == set(CLASSES)


def test_a_game_is_played_with_the_words_that_were_taught(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    teach(wide, ("hook", "dash"))
    show(wide, "play")
    assert "2 words" in text_of(wide, "panel-play")
    press(wide, "Start")
    press(wide, "Draw it")
    (word,) = re.findall(r"Draw\s(hook|dash)", text_of(wide, "task"))
    draw(wide, CORNER if word == "hook" else LINE)
    until(lambda: "Yes" in text_of(wide, "card"))


def test_looking_inside_shows_the_words_that_were_taught(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    teach(wide, ("hook", "dash"))
    draw(wide, CORNER)
    show(wide, "see")
    settle(wide)
    assert "hook" in text_of(wide, "see-chart")
    assert {word.split(" ")[0] for word in text_of(wide, "see-now").split(", ")} == {"hook", "dash"}


def test_the_network_is_unharmed_by_what_was_learnt(wide):
    """Its words keep their order and their ratios; one's own take a share of all alike."""
    script = """
    const [probabilities, logits] = given;
    const { makeVocabulary, wordProbabilities } = vocabularyModule;
    const words = probabilities.map((_, i) => `word ${i}`);
    const head = { numWords: 2, dimensions: 1, scale: 1, shift: 0, features: new Float32Array(1),
      coefficients: Float32Array.from(logits, (logit) => logit / 10) };
    const guess = (mode, own) => {
      const vocabulary = makeVocabulary(mode, words, own, head);
      const values = wordProbabilities(
        Float32Array.from(probabilities), new Float32Array(1), vocabulary);
      return [vocabulary.words, [...values]];
    };
    return [guess("network", ["mine", "word 3"]), guess("own", ["mine", "word 3"]),
      guess("both", ["mine", "word 3"])];
    """
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(345)).astype(np.float32)
    logits = np.array([-1.5, -2.0])
    network, own, both = run_modules(
        wide, GUESSER, script, probabilities.astype(float).tolist(), logits.tolist()
    )
    np.testing.assert_allclose(network[1], probabilities, rtol=1e-6)
    assert own[0] == ["mine", "word 3"] and len(both[0]) == 346 and both[0][345] == "mine"
    np.testing.assert_allclose(own[1], np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)
    joint = np.append(probabilities, np.exp(logits[0]))
    joint[3] += np.exp(logits[1])
    np.testing.assert_allclose(both[1], joint / joint.sum(), rtol=1e-5)


def test_learning_from_many_drawings_has_bounds(wide):
    """Two words of 2,000 and 40 drawings: the newest of the first; all of the second."""
    script = """
    const entries = (word, count) =>
      [word, Array.from({ length: count }, (_, i) => [i, { word, strokes: [] }])];
    const words = new Map([entries("many", 2000), entries("few", 40), entries("one", 1)]);
    return own_wordsModule.learnableWords(words).map(({ word, entries }) =>
      [word, entries.length, entries[0][0], entries[entries.length - 1][0]]);
    """
    assert run_modules(wide, OWN_WORDS, script) == [["many", 1960, 40, 1999], ["few", 40, 0, 39]]


def test_the_report_counts_what_is_right_and_what_is_confused(wide):
    script = """
    const { right, count, byWord, confusions } =
      own_wordsModule.report(["a", "b"], [0, 0, 0, 0, 1, 1], [0, 1, 1, -1, 1, 0]);
    return { right, count, byWord: [...byWord], confusions };
    """
    assert run_modules(wide, OWN_WORDS, script) == {
        "right": 2,
        "count": 6,
        "byWord": [["a", {"right": 1, "count": 4}], ["b", {"right": 1, "count": 2}]],
        "confusions": [
            {"word": "a", "other": "b", "count": 2},
            {"word": "a", "other": None, "count": 1},
            {"word": "b", "other": "a", "count": 1},
        ],
    }


def test_a_hundred_words_of_a_thousand_drawings_beside_those_of_the_network(wide):
    """As many as a school may have: learnt, reported, and all guesses are probabilities."""
    script = """
    const [numWords, each, networkWords] = given;
    let next = 1;
    const random = () => (next = (next * 16807) % 2147483647) / 2147483647 - 0.5;
    const centre = () => Array.from({ length: 16 }, () => 4 * random());
    const drawing = (middle) => {
      const strokes = [[[0], [0]], [[1], [1]]];
      known.set(strokes, Float32Array.from(middle, (value) => value + random()));
      return strokes;
    };
    const known = new Map();
    const words = (count, name) => Array.from({ length: count }, (_, i) => `${name} ${i}`);
    const kept = new Map(words(numWords, "mine").map((word) => {
      const middle = centre();
      return [word, Array.from({ length: each }, (_, i) => [i, { strokes: drawing(middle) }])];
    }));
    const names = words(networkWords, "word");
    const examples = new Map(names.map((word) => [word, [drawing(centre())]]));
    const rivals = [[0, -0.1], [1, -3]];
    const own = new own_wordsModule.OwnWords({
      networkWords: names, examples, collection: { byWord: () => kept },
      newGuesser: () => ({
        study: async (strokes) => ({ features: known.get(strokes), rivals }),
        learn: async (...rows) => learnModule.learn(...rows),
      }),
      onChange: () => {},
    });
    await own.setMode("both");
    const values = vocabularyModule.wordProbabilities(
      Float32Array.from(names, () => 1 / names.length), known.get(kept.get("mine 7")[0][1].strokes),
      own.vocabulary);
    return { count: own.report.count, taken: own.report.taken, words: own.vocabulary.words.length,
      right: own.report.right, guess: own.vocabulary.words[values.indexOf(Math.max(...values))],
      sum: values.reduce((a, b) => a + b) };
    """
    learnt = run_modules(wide, OWN_WORDS, script, 100, 10, 345)
    assert learnt["count"] == 1000 and learnt["words"] == 445
    assert learnt["taken"] == pytest.approx(10 / 345)
    assert learnt["right"] > 950 and learnt["guess"] == "mine 7"
    assert learnt["sum"] == pytest.approx(1, abs=1e-5)
