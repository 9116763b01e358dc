"""Headless Chromium, for the tests of the drawing page, its benchmark and its pictures."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# Where a browser is called so, or stands there.
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find() -> tuple[str, str] | None:
    """Finds the paths of a browser and of its driver; None where one of them is missing."""
    browsers = filter(None, map(shutil.which, NAMES))
    driver = shutil.which("chromedriver")
    path = next(browsers, None)
    return (path, driver) if path and driver else None


@contextlib.contextmanager
def opened(
    *, width: int = 1280, height: int = 900, dark: bool = False, touch: bool = False
) -> Iterator[webdriver.Chrome]:
    """A browser whose window, or screen with `touch`, has that many CSS pixels."""
    found = find()
    assert found, "no Chromium with a chromedriver is installed"
    options = webdriver.ChromeOptions()
    options.binary_location, driver = found
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if touch:
        metrics = {"width": width, "height": height, "pixelRatio": 2, "touch": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        yield browser
    finally:
        browser.quit()
