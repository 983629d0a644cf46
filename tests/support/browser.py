"""Headless Chromium, driven by selenium: what a page shows, says and asks for."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
_ARGUMENTS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "hide-scrollbars",
    "disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxPopupDebug,SpareRendererForSitePerProcess",
)
_MISSING = "chromium and chromedriver are not installed (apt-get install chromium chromium-driver)"


def needs_chromium() -> None:
    """Skip a test where there is no Chromium; where `CI` is set that is a failure."""
    if CHROMIUM and DRIVER:
        return
    if os.environ.get("CI"):
        pytest.fail(_MISSING)
    pytest.skip(_MISSING)


@contextmanager
def chromium(width: int = 1280, height: int = 900, **media: str) -> Iterator[webdriver.Chrome]:
    """A window of such a size whose media features are as told, such as prefers_color_scheme="dark"."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        for argument in (*_ARGUMENTS, f"user-data-dir={profile}"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            driver.set_script_timeout(600)
            screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            yield driver
        finally:
            driver.quit()


def requests_of(driver: webdriver.Chrome) -> list[str]:
    """Addresses of all that was asked for since the last call, but what is in the page itself."""
    messages: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in driver.get_log("performance")
    ]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [address for address in asked if not address.startswith("data:")]


def complaints_of(driver: webdriver.Chrome) -> list[str]:
    """What the console says."""
    return [entry["message"] for entry in driver.get_log("browser")]


def address(path: Path) -> str:
    """The address of a file."""
    return path.resolve().as_uri()
