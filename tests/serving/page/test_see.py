"""How the network reads a drawing, and the words that it knows."""

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
    settle,
    show,
    text_of,
    until,
    write_page,
)
from selenium.webdriver.common.by import By


def overlay_size(browser) -> int:
    """How many pixels of the accent's colour are on the board."""
    return evaluate(
        browser,
        """(() => {
        const board = document.getElementById("board");
        const { data } = board.getContext("2d").getImageData(0, 0, board.width, board.height);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) {
          count += data[at + 2] > data[at] + 90 && data[at + 3] > 200;
        }
        return count;
        })()""",
    )


def test_how_it_sees_a_drawing(browser, tmp_path):
    open_page(browser, write_page(tmp_path))
    show(browser, "see")
    until(lambda: "Draw something first" in text_of(browser, "see-text"))
    draw(browser)
    settle(browser)
    assert "2 strokes" in text_of(browser, "see-text")
    # Two lines with a corner in the first: three points and two.
    assert "reads the 5 that are marked" in text_of(browser, "see-text")
    chart = browser.find_element(By.CSS_SELECTOR, "#see-chart svg")
    assert len(chart.find_elements(By.TAG_NAME, "polyline")) == 3
    label, legend = chart.get_attribute("aria-label"), text_of(browser, "see-chart")
    assert overlay_size(browser) > 100
    show(browser, "draw")
    assert overlay_size(browser) == 0
    word, share = guesses(browser)[0]
    assert f"in the end {word}" in label and f"{word} {share:.0%}" in legend


def test_the_slider_shows_a_beginning_and_its_guesses(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    show(wide, "see")
    draw(wide)
    settle(wide)
    slider = find(wide, "see-slider")
    whole, marked = text_of(wide, "see-now"), overlay_size(wide)
    move = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    wide.execute_script(move, slider, 2)
    until(lambda: text_of(wide, "see-text").startswith("1 stroke, 2 points. "))
    assert text_of(wide, "see-now") and text_of(wide, "see-now") != whole
    assert 0 < overlay_size(wide) < marked
    assert slider.get_attribute("aria-valuetext") == f"2 points: {text_of(wide, 'see-now')}"
    wide.execute_script(move, slider, 1)
    until(lambda: text_of(wide, "see-now") == "")
    press(wide, "Replay")
    until(lambda: text_of(wide, "see-now") == whole)


def test_words_that_led_are_told_in_their_order(wide, tmp_path):
    open_page(wide, write_page(tmp_path, weights=always(1)))
    show(wide, "see")
    draw(wide)
    until(lambda: "In the lead\nbee" in text_of(wide, "see-chart"))


def test_a_single_point_is_no_drawing(wide, tmp_path):
    open_page(wide, write_page(tmp_path))
    show(wide, "see")
    draw(wide, [[(0, 0)]])
    until(lambda: text_of(wide, "see-text") == "A single point says little: draw on.")
    assert not find(wide, "see-slider").is_displayed()


def test_a_chart_of_few_points_is_no_line_back(wide):
    ends = run_modules(
        wide,
        [*GUESSER, "elements", "sketch", "chart", "see"],
        "return [2, 3, 40, 1000].map(seeModule.endsOf);",
    )
    assert ends[:2] == [[2], [2, 3]]
    for count, looks in zip((40, 1000), ends[2:]):
        assert len(looks) == 32 and looks[0] == 2 and looks[-1] == count
        assert looks == sorted(set(looks))


def test_a_word_is_looked_up_and_drawn(browser, tmp_path):
    drawing = [[[0, 255], [0, 255]]]
    url = write_page(tmp_path, weights=always(1), examples={"bee": [drawing, drawing]})
    open_page(browser, url)
    show(browser, "words")
    buttons = (
        "[...document.querySelectorAll('#words-list button')].filter(b => b.checkVisibility())"
    )
    assert evaluate(browser, f"{buttons}.map((b) => b.textContent)") == ["ant", "bee", "cat"]
    assert evaluate(browser, f"{buttons}[1].querySelector('path').getAttribute('d')") == (
        "M0 0L255 255"
    )
    find(browser, "words-search").send_keys("E")
    until(lambda: evaluate(browser, f"{buttons}.length") == 1)
    assert text_of(browser, "words-count") == "1 word with “E”"
    press(browser, "bee")
    assert find(browser, "panel-draw").is_displayed()
    assert text_of(browser, "bubble") == "Draw a bee!"
    assert len(browser.find_elements(By.CSS_SELECTOR, "#goal .sketches svg")) == 2
    draw(browser, CORNER)
    until(lambda: text_of(browser, "bubble") == "I know, it’s a bee!")
    until(lambda: not find(browser, "goal").is_displayed())
