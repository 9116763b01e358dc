"""The browsers of the page's tests: opened once, used by one test after the other."""

from __future__ import annotations

import os

import pytest

import browser as browsers


@pytest.fixture(scope="session")
def need_browser():
    if not browsers.find():
        message = "no Chromium with a chromedriver is installed"
        (pytest.fail if "CI" in os.environ else pytest.skip)(message)


@pytest.fixture(scope="session")
def wide(need_browser):
    with browsers.opened(width=1280) as browser:
        yield browser


@pytest.fixture(scope="session")
def phone(need_browser):
    with browsers.opened(width=390, height=844, touch=True) as browser:
        yield browser


@pytest.fixture(params=["wide", "phone"])
def browser(request):
    """Both browsers, one after the other."""
    return request.getfixturevalue(request.param)
