"""Learning in the page against NumPy: the same optimum, and every drawing left out in turn."""

import numpy as np
import pytest
from page_driver import run_modules

MODULES = ["matrices", "learn"]
NOISE, BEGINNING_NOISE, TEMPERATURE, TAKEN, EQUAL_SHARE = 0.2, 0.7, 0.1, 0.03, 0.6
WHOLE, BEGINNING = 0, 1
REFERENCE = -1

LEARN = """
const [features, labels, drawings, rivals, numWords, asked] = given;
const { learn, scores } = learnModule;
const rows = { features: Float32Array.from(features), labels: Int32Array.from(labels),
  drawings: Int32Array.from(drawings), rivals: Float32Array.from(rivals) };
const { head, checked } = learn(rows, numWords);
const size = features.length / labels.length;
return { guesses: [...checked.guesses], taken: checked.taken, shift: head.shift,
  scores: Array.from({ length: asked.length / size },
    (_, i) => [...scores(head, Float32Array.from(asked.slice(i * size, (i + 1) * size)))]) };
"""


class Rows:
    """Made-up drawings of words, some with a beginning, and references; in float32."""

    def __init__(self, counts, *, references=0, dimensions=6, seed=0, spread=1.5):
        rng = np.random.default_rng(seed)
        rows = []
        for word, count in enumerate(counts):
            middle = rng.normal(size=dimensions)
            for _ in range(count):
                rows.append((WHOLE, word, middle + rng.normal(size=dimensions) / spread))
                if rng.random() < 0.6:
                    rows.append((BEGINNING, word, middle / 2 + rng.normal(size=dimensions)))
        rows += [(WHOLE, REFERENCE, rng.normal(size=dimensions)) for _ in range(references)]
        self.kinds = np.array([kind for kind, _, _ in rows])
        self.labels = np.array([label for _, label, _ in rows])
        self.features = np.array([f for _, _, f in rows], np.float32)
        self.drawings = np.cumsum(self.kinds == WHOLE) - 1
        self.rivals = np.log(rng.uniform(0.05, 0.95, len(rows))).astype(np.float32)
        self.num_words = len(counts)
        whole = self.features[self.kinds == WHOLE].astype(np.float64)
        self.scale = 1 / np.sqrt(((whole - whole.mean(axis=0)) ** 2).sum(axis=1).mean())
        of_words = (self.kinds == WHOLE) & (self.labels != REFERENCE)
        numbers = np.bincount(self.labels[of_words], minlength=self.num_words)
        weights = np.where(self.labels == REFERENCE, 1, numbers[self.labels] / np.mean(numbers))
        self.noises = weights * np.where(self.kinds == WHOLE, NOISE, BEGINNING_NOISE)
        self.targets = (self.labels[:, np.newaxis] == np.arange(self.num_words)).astype(float)

    def scores(self, asked, *, kept=...):
        """Solves for the rows that are kept: [asked, K], neither divided nor shifted."""
        rows = self.features[kept].astype(np.float64) * self.scale
        near = kernel(rows, rows) + np.diag(self.noises[kept])
        coefficients = np.linalg.solve(near, self.targets[kept])
        return kernel(asked.astype(np.float64) * self.scale, rows) @ coefficients

    def left_out(self):
        """The scores of each whole drawing, of all drawings but it: [drawings, K]."""
        wholes = np.flatnonzero(self.kinds == WHOLE)
        return np.concatenate(
            [
                self.scores(self.features[[row]], kept=self.drawings != self.drawings[row])
                for row in wholes
            ]
        )

    def learn(self, browser, asked):
        arguments = (self.features.ravel(), self.labels, self.drawings, self.rivals)
        given = [np.asarray(values).tolist() for values in arguments]
        return run_modules(
            browser, MODULES, LEARN, *given, self.num_words, asked.astype(float).ravel().tolist()
        )


def kernel(a, b):
    return np.exp(-((a[:, np.newaxis] - b) ** 2).sum(axis=2) / 2)


@pytest.mark.parametrize("counts", [(2, 2), (5, 3, 17), (1, 30), (3,)])
def test_scores_are_the_solution_that_numpy_finds(wide, counts):
    rows = Rows(counts)
    asked = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    learnt = rows.learn(wide, asked)
    np.testing.assert_allclose(
        learnt["scores"], rows.scores(asked) / TEMPERATURE, rtol=1e-4, atol=1e-4
    )
    assert learnt["shift"] == 0 and learnt["taken"] == 0


def test_each_drawing_is_left_out_with_its_beginning_as_by_learning_without_it(wide):
    rows = Rows((6, 9, 4, 5))
    expected = rows.left_out().argmax(axis=1)
    assert (expected != rows.labels[rows.kinds == WHOLE]).any()
    assert rows.learn(wide, rows.features[:1])["guesses"] == expected.tolist()


def test_words_take_no_more_of_the_references_than_they_may(wide):
    rows = Rows((8, 8, 8), references=101)
    asked = rows.features[:5]
    learnt = rows.learn(wide, asked)
    left = rows.left_out() / TEMPERATURE
    wholes = rows.kinds == WHOLE
    labels, rivals = rows.labels[wholes], rows.rivals[wholes]
    margins = (left.max(axis=1) - rivals)[labels == REFERENCE]
    shift = np.sort(margins)[::-1][int(TAKEN * 101)]
    assert learnt["shift"] == pytest.approx(shift, abs=1e-4)
    assert learnt["taken"] == pytest.approx(3 / 101)
    beats = left.max(axis=1) - learnt["shift"] > rivals
    expected = np.where(beats, left.argmax(axis=1), REFERENCE)[labels != REFERENCE]
    assert learnt["guesses"] == expected.tolist()
    assert {REFERENCE, 0, 1, 2} >= set(learnt["guesses"]) > {REFERENCE}
    np.testing.assert_allclose(
        learnt["scores"], rows.scores(asked) / TEMPERATURE - shift, rtol=1e-4, atol=1e-3
    )


def test_a_word_with_few_drawings_is_not_drowned_by_one_with_many(wide):
    rng = np.random.default_rng(0)
    rows = Rows((3, 60), spread=0.5)
    few = rows.features[(rows.labels == 0) & (rows.kinds == WHOLE)].mean(axis=0)
    asked = (few + rng.normal(size=(200, 6)) / 2).astype(np.float32)
    right = np.argmax(rows.learn(wide, asked)["scores"], axis=1) == 0
    rows.noises = np.where(rows.kinds == WHOLE, NOISE, BEGINNING_NOISE)
    alike = rows.scores(asked).argmax(axis=1) == 0
    assert right.mean() > alike.mean() + 0.05


def test_drawings_that_are_all_alike_and_many_words_have_finite_scores(wide):
    alike = Rows((3, 2))
    alike.features[:] = alike.features[0]
    learnt = alike.learn(wide, alike.features[:1])
    assert np.isfinite(learnt["scores"]).all() and len(learnt["guesses"]) == 5
    many = Rows((2,) * 100, references=345, dimensions=8)
    learnt = many.learn(wide, many.features[:3])
    assert np.shape(learnt["scores"]) == (3, 100) and np.isfinite(learnt["scores"]).all()
    assert len(learnt["guesses"]) == 200 and learnt["taken"] == pytest.approx(10 / 345)


def test_features_are_measured_as_the_last_layer_weighs_them(wide):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(9, 6)).astype(np.float32)  # a row a class
    embedding = rng.normal(size=(6, 2)).T.astype(np.float32)
    script = """
    const { featureMatrix, featuresOf } = learnModule;
    const matrix = featureMatrix(Float32Array.from(given[0]), 6);
    return given[1].map((values) => [...featuresOf(Float32Array.from(values), 4, matrix)]);
    """
    features = run_modules(wide, MODULES, script, weights.ravel().tolist(), embedding.tolist())
    centred = weights.astype(np.float64) - weights.mean(axis=0)
    covariance = centred.T @ centred
    mixed = (1 - EQUAL_SHARE) * covariance + EQUAL_SHARE * np.trace(covariance) / 6 * np.eye(6)
    np.testing.assert_allclose(
        np.array(features) @ np.array(features).T, embedding @ mixed @ embedding.T / 4, rtol=1e-4
    )
    none = run_modules(wide, MODULES, script, [0.0] * 54, embedding.tolist())
    np.testing.assert_allclose(none, embedding / 2, rtol=1e-6)
