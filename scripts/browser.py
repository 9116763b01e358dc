"""Headless browsers, for the tests of the drawing page, its benchmark and its pictures."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from collections.abc import Iterator

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.firefox.service import Service as FirefoxService
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.service import Service as WebKitService

# Names and paths of browsers.
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
    programs = find()
    assert programs, "no Chromium with a chromedriver is installed"
    options = webdriver.ChromeOptions()
    options.binary_location, driver = programs
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


def has(name: str) -> bool:
    """Returns whether `firefox` can be opened here, or `webkit`, which needs a display."""
    if name == "firefox":
        browsers = map(shutil.which, ("firefox", "firefox-esr"))
        return any(browsers) and shutil.which("geckodriver") is not None
    return shutil.which("WebKitWebDriver") is not None and "DISPLAY" in os.environ


@contextlib.contextmanager
def opened_other(name: str) -> Iterator[WebDriver]:
    """`firefox` or `webkit`, of which there is less to control than of Chromium."""
    driver: WebDriver
    if name == "firefox":
        options = webdriver.FirefoxOptions()
        options.binary_location = shutil.which("firefox") or shutil.which("firefox-esr") or ""
        options.add_argument("-headless")
        service = FirefoxService(shutil.which("geckodriver"))
        driver = webdriver.Firefox(options=options, service=service)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of selenium, for itself
            driver = webdriver.WebKitGTK(
                options=webdriver.WebKitGTKOptions(),
                service=WebKitService(shutil.which("WebKitWebDriver") or ""),
            )
    try:
        yield driver
    finally:
        driver.quit()
