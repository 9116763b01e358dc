"""What the page guesses, when it says so, and what it does when the part that guesses fails."""

import dataclasses
import json
import re

import numpy as np
import pytest
from helpers import (
    NETWORKS,
    TINY,
    by_tensorflow,
    random_strokes,
    random_weights,
    resampled,
)
from page_driver import (
    GUESSER,
    always,
    ask,
    draw,
    evaluate,
    guesses,
    open_page,
    run_modules,
    text_of,
    until,
    write_page,
)

from drawings import ink
from serving import drawing_page

# Lets a test have the page's workers, and let the first one's time run out at once.
KNOWN_WORKERS = """
window.workers = [];
window.Worker = class extends Worker {
  constructor(url) { super(url); window.workers.push(this); }
};
const later = window.setTimeout;
window.hurry = false;
window.setTimeout = (task, time) =>
  later(task, window.hurry && window.workers.length === 1 ? Math.min(time, 500) : time);
"""


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


def random_walk(rng) -> list:
    """A scribble: up to four strokes, each step in a direction of its own."""
    strokes = []
    for _ in range(rng.integers(1, 5)):
        xs, ys = np.cumsum(rng.integers(-25, 26, (2, rng.integers(60, 120))), axis=1).tolist()
        strokes.append([xs, ys, list(range(len(xs)))])
    return strokes


@pytest.mark.parametrize("changes", NETWORKS)
def test_any_network_guesses_as_tensorflow_does(wide, tmp_path, changes):
    params = dataclasses.replace(TINY, **changes)
    weights = random_weights(params)
    words = [f"word {i}" for i in range(params.num_classes)]
    open_page(wide, write_page(tmp_path, params, words, weights=weights, temperature=2.5))
    rng = np.random.default_rng(0)
    drawings = [random_strokes(rng) for _ in range(20)]
    inks = [ink.strokes_to_ink(d) for d in drawings]
    expected = by_tensorflow(weights, inks, params=params, temperature=2.5)
    for expected_answer, answer in zip(expected, ask(wide, "classify", drawings)):
        ours = {guess["word"]: guess["probability"] for guess in answer}
        np.testing.assert_allclose(
            [ours[word] for word in words], expected_answer["probabilities"], atol=2e-4
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


def test_what_cannot_be_posted_is_refused_and_guessing_goes_on(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    reason, answer = wide.execute_async_script(
        """const [done] = arguments;
        const bad = drawingClassifier.classify([[[() => 1, 2], [1, 2]]]).catch((e) => e.message);
        const good = drawingClassifier.classify([[[0, 9], [0, 9]]]);
        Promise.all([bad, good]).then(done);"""
    )
    assert reason == "a coordinate is not a number"
    assert len(answer) == 3
    draw(wide)
    until(lambda: guesses(wide))


def test_a_long_question_of_a_script_does_not_hold_up_the_one_who_draws(wide, tmp_path):
    open_page(wide, write_page(tmp_path), before=KNOWN_WORKERS)
    # A worker that only scripts ask is made when one asks, and here never answers.
    wide.execute_script(
        """const post = Worker.prototype.postMessage;
        Worker.prototype.postMessage = function (message) {
          if (window.workers.indexOf(this) === 0) { post.call(this, message); }
        };
        window.answered = false;
        drawingClassifier.classify([[[0, 9], [0, 9]]]).then(() => { window.answered = true; });"""
    )
    draw(wide)
    until(lambda: guesses(wide))
    assert evaluate(wide, "window.workers.length") == 2
    assert not evaluate(wide, "window.answered")


def test_a_worker_that_was_killed_is_started_again_and_the_page_says_so(wide, tmp_path):
    open_page(wide, write_page(tmp_path), before=KNOWN_WORKERS)
    draw(wide)
    until(lambda: guesses(wide))
    wide.execute_script("window.hurry = true; window.workers[0].terminate()")
    draw(wide, [((-90, 90), (90, 90))])
    until(lambda: "started again" in text_of(wide, "message"))
    assert evaluate(wide, "window.workers.length") == 2
    wide.execute_script("window.hurry = false; document.getElementById('clear').click()")
    until(lambda: not guesses(wide))
    draw(wide)
    until(lambda: guesses(wide))


def test_a_question_that_no_worker_answers_is_given_up(wide):
    reasons = run_modules(
        wide,
        GUESSER,
        """const posted = [];
        let restarts = 0;
        window.Worker = class { postMessage(message) { posted.push(message.question); }
          terminate() {} };
        const later = window.setTimeout;
        window.setTimeout = (task, time) => later(task, time > 1000 ? 0 : time);
        const guesser = new guesserModule.Guesser({}, "", () => { restarts += 1; });
        const reason = await guesser.look([[[0, 9], [0, 9]]]).catch((error) => error.message);
        return [reason, posted.filter(Boolean), restarts];""",
    )
    assert reasons == ["the network did not answer", ["look", "look"], 2]


def test_what_is_asked_while_it_answers_is_answered_once_and_last(wide):
    seen = run_modules(
        wide,
        GUESSER,
        """const seen = [];
        let release, now = 0;
        const task = async () => { const asked = now; await new Promise((r) => { release = r; });
          seen.push(asked); };
        const refresh = guesserModule.latestOnly(task);
        const first = refresh();
        for (now = 1; now < 5; now++) refresh();
        release();
        await new Promise((r) => setTimeout(r, 0));
        release();
        await first;
        return seen;""",
    )
    assert seen == [0, 5]


def movement_in_numpy(strokes) -> list[float]:
    """Wiggles for each length of the unit square, crossings, the mean turn, the mean gap."""
    rows = np.float64(ink.drawing_to_ink(strokes))
    points = np.cumsum([[0, 0], *rows[:, :2]], axis=0)
    lines = np.split(points, np.flatnonzero(rows[:, 2])[:-1] + 2)
    wiggles, crossings, turns, length = 0, 0, [], 0.0
    for line in lines:
        steps = np.diff(line, axis=0)
        length += np.hypot(*steps.T).sum()
        turn = np.diff(np.arctan2(steps[:, 1], steps[:, 0])) / (2 * np.pi)
        turn = 2 * np.pi * (turn - np.floor(turn + 0.5))
        wiggles += np.count_nonzero(np.diff(np.sign(turn)))
        turns += np.abs(turn).tolist()
        for i in range(len(steps)):
            for j in range(i + 2, len(steps)):
                both = np.stack([steps[i], -steps[j]], axis=1)
                if np.linalg.det(both):
                    shares = np.linalg.solve(both, line[j] - line[i])
                    crossings += ((shares > 0) & (shares < 1)).all()
    gaps = [np.hypot(*(line[-1] - line[0])) for line in lines]
    return [wiggles / max(length, 1), int(crossings), np.mean(turns or [0]), np.mean(gaps)]


def movement(browser, drawings: list) -> list[list[float]]:
    return run_modules(
        browser,
        ["points", "scribble"],
        """return given[0].map((strokes) => {
          const seen = scribbleModule.movement(pointsModule.prepare(strokes));
          return [seen.wiggles, seen.crossings, seen.turn, seen.gap];
        });""",
        drawings,
    )


def test_how_a_pen_moved_is_measured_along_strokes_and_not_between_them(wide):
    rng = np.random.default_rng(0)
    # Not on a grid, where lines often touch: rounding would decide whether they cross.
    drawings = [
        rng.normal(0, 50, (rng.integers(1, 5), 2, length)).tolist() for length in range(2, 32)
    ]
    np.testing.assert_allclose(
        movement(wide, drawings), [movement_in_numpy(d) for d in drawings], rtol=1e-6
    )


def test_how_a_pen_moved_over_a_square_a_bow_and_a_zigzag(wide):
    square = [[[0, 255, 255, 0], [0, 0, 255, 255]]]
    bow = [[[0, 255, 255, 0, 0], [0, 255, 0, 255, 0]]]  # its diagonals cross
    zigzag = [[[0, 51, 102, 153, 204, 255], [0, 255, 0, 255, 0, 255]], [[0, 255], [0, 0]]]
    measured = movement(wide, [square, bow, zigzag])
    side = np.hypot(0.2, 1)
    wiggles = 3 / (5 * side + 1)
    turn = np.pi - 2 * np.arctan(0.2)
    expected = [
        [0, 0, np.pi / 2, 1],
        [1 / (2 + 2 * np.sqrt(2)), 1, 3 * np.pi / 4, 0],
        [wiggles, 0, turn, (np.sqrt(2) + 1) / 2],
    ]
    np.testing.assert_allclose(measured, expected, atol=1e-6)


def are_scribbles(browser, drawings: list, probability: float) -> list[bool]:
    return run_modules(
        browser,
        ["points", "scribble"],
        """const [drawings, probability] = given;
        return drawings.map((strokes) =>
          scribbleModule.isScribble(pointsModule.prepare(strokes), probability));""",
        drawings,
        probability,
    )


def doodle(rng, number: int) -> list:
    """A house, a star, a face or a sun as a hand draws them, with times."""
    turns = np.exp(2j * np.pi * np.arange(61) / 60)
    rays = [np.array([150, 250]) * turns[k] for k in range(0, 60, 6)]
    lines = [
        [np.array([0, 300, 300 - 200j, -200j, 0]), np.array([-200j, 150 - 350j, 300 - 200j])],
        [200 * np.exp(0.8j * np.pi * np.arange(6))],
        [200 * turns, 80 + 20 * turns - 60j, -80 + 20 * turns - 60j, 100 * turns[5:26]],
        [100 * turns, *rays],
    ][number % 4]
    strokes = []
    for line in lines:
        at = np.linspace(0, len(line) - 1, 40)
        points = np.interp(at, range(len(line)), line) * (1 + 0.3j * rng.normal())
        points += rng.normal(0, 1.5, 40) + 1j * rng.normal(0, 1.5, 40)
        strokes.append([points.real.tolist(), points.imag.tolist(), list(range(40))])
    return strokes


def test_random_walks_are_scribbles_and_doodles_are_none(wide):
    walks = [random_walk(np.random.default_rng(seed)) for seed in range(40)]
    assert np.mean(are_scribbles(wide, walks, 0.9)) >= 0.95
    rng = np.random.default_rng(0)
    doodles = [doodle(rng, number) for number in range(40)]
    assert not any(are_scribbles(wide, doodles, 0.5))


def test_of_real_drawings_few_are_scribbles(wide, quickdraw_data):
    paths = sorted((quickdraw_data / "quickdraw" / "raw").glob("*.ndjson"))
    drawings = [json.loads(path.read_text().splitlines()[0])["drawing"] for path in paths]
    assert len(drawings) > 300
    assert np.mean(are_scribbles(wide, drawings, 0.9)) < 0.015
    assert np.mean(are_scribbles(wide, drawings, 0.5)) < 0.05


def test_the_surer_the_network_the_wilder_a_pen_may_be(wide):
    wild = [
        [[0, 40, 20, 90, 60, 130, 90, 180, 140, 255], [0, 90, 20, 150, 40, 190, 80, 230, 99, 255]]
    ]
    judged = [are_scribbles(wide, [wild], p)[0] for p in (0.1, 0.5, 0.7, 0.99, 1.0)]
    assert judged == [True, True, True, False, False]


def test_a_scribble_gets_no_name_however_sure_the_network_is(wide, tmp_path):
    open_page(wide, write_page(tmp_path, weights=always(1)))
    draw(wide)
    until(lambda: text_of(wide, "bubble") == "I know, it’s a bee!")
    wide.execute_script("document.getElementById('clear').click()")
    walk = np.cumsum(np.random.default_rng(0).integers(-12, 13, (90, 2)), axis=0)
    draw(wide, [[(int(x), int(y)) for x, y in walk]])
    until(lambda: guesses(wide) and text_of(wide, "bubble").startswith("Hmm …"))
    assert guesses(wide)[0] == ("bee", 1.0)


def name(wide, looks: list) -> list:
    """What is named after each look, and whether it is sure; of the words a, b, c."""
    return run_modules(
        wide,
        ["namer"],
        """const namer = new namerModule.Namer(["a", "b", "c"], 0.5);
        return given[0].map((look) => {
          namer.hear({ isScribble: false, ...look });
          return [namer.word, namer.isSure];
        });""",
        [look if isinstance(look, dict) else {"probabilities": look} for look in looks],
    )


def test_a_name_does_not_flicker_with_the_first_place(wide):
    flickering = [[0.4, 0.45, 0.15], [0.45, 0.4, 0.15]] * 4
    assert {word for word, _ in name(wide, flickering)} == {"b"}
    # What is sure is said at once; and another word when it is clearly ahead, for some looks.
    assert name(wide, [[0.4, 0.3, 0.3], [0.1, 0.6, 0.3]]) == [["a", False], ["b", True]]
    words = [word for word, _ in name(wide, [[0.4, 0.3, 0.3]] + [[0.05, 0.48, 0.47]] * 4)]
    assert words[1] == "a" and words[-1] == "b"


def test_without_a_likely_word_it_has_no_idea(wide):
    assert name(wide, [[0.19, 0.18, 0.17]]) == [[None, False]]
    scribble = {"probabilities": [0.9, 0.05, 0.05], "isScribble": True}
    assert name(wide, [scribble, [0.9, 0.05, 0.05]]) == [[None, False], ["a", True]]


def test_it_says_what_it_saw_and_sees_in_english(wide):
    words = "crab,ant,umbrella,unicorn,The Mona Lisa,scissors,bus,compass,lightning,кот,hourglass"
    named = run_modules(
        wide, ["sentences"], "return given[0].map(sentencesModule.withArticle);", words.split(",")
    )
    expected = "a crab,an ant,an umbrella,a unicorn,The Mona Lisa,scissors,a bus,a compass"
    assert named == [*expected.split(","), "lightning", "кот", "an hourglass"]
    states = [
        {"word": None, "named": [], "isSure": False},
        {"word": None, "named": ["crab"], "isSure": False},
        {"word": "crab", "named": ["crab"], "isSure": False},
        {"word": "bicycle", "named": ["ant", "crab", "shoe", "bus", "bicycle"], "isSure": True},
    ]
    said = run_modules(
        wide,
        ["sentences"],
        "return given[0].map((s) => Object.values(sentencesModule.sentence(s)));",
        states,
    )
    assert said == [
        ["", "Hmm … I have no idea yet."],
        ["", "Hmm … now I am not so sure."],
        ["", "I see a crab"],
        ["I saw a crab … a shoe … a bus …", "I know, it’s a bicycle!"],
    ]


@pytest.mark.parametrize(
    "before", ["delete window.Worker", "window.Worker = class { constructor() { throw 1 } }"]
)
def test_without_a_worker_it_says_so_and_still_guesses(wide, tmp_path, before):
    open_page(wide, write_page(tmp_path), before=before)
    assert "no Web Worker" in text_of(wide, "message")
    draw(wide)
    until(lambda: guesses(wide))
    assert len(ask(wide, "classify", [[[[0, 9], [0, 9]]]])[0]) == 3


def test_the_voice_speaks_when_it_is_switched_on_with_a_voice_of_this_computer(wide, tmp_path):
    speech = """
    window.spoken = [];
    window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
    Object.defineProperty(window, "speechSynthesis", { value: {
      getVoices: () => [{ lang: "en-US", localService: false, name: "remote" },
        { lang: "en-GB", localService: true, name: "local" }],
      cancel() {}, speak({ text, voice }) { window.spoken.push([voice.name, text]); },
    } });
    """
    open_page(wide, write_page(tmp_path, weights=always(0)), before=speech)
    draw(wide)
    until(lambda: text_of(wide, "bubble") == "I know, it’s an ant!")
    assert evaluate(wide, "window.spoken") == []
    wide.execute_script(
        "document.getElementById('voice').click(); document.getElementById('clear').click()"
    )
    until(lambda: not guesses(wide))
    draw(wide)
    until(lambda: ["local", "I know, it’s an ant!"] in evaluate(wide, "window.spoken"))
