"""The page in headless Chromium: what a person sees, does by mouse and keys, and hears from a screen reader."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from lolblur_synth.apps.report.report import write_report
from lolblur_synth.dataset.records import RejectRecord
from lolblur_synth.run.failures import Failure, write_failures
from lolblur_synth.video.metadata import FlawKind
from tests.support.browser import address, chromium, complaints_of, needs_chromium, requests_of
from tests.support.reported import COLOURS, make_dataset, sequence
from tests.support.staged import SOURCE

HOSTILE = "<img src=x onerror=window.hacked=1></script><script>window.hacked=2</script>'\"&.mp4"
PARTS = "pictures", "distributions", "making", "dropped", "times"
FOLDERS = list(COLOURS)


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Of two videos with six pairs each, one of them with a name that would be HTML, and a picture that is gone."""
    needs_chromium()
    root = tmp_path_factory.mktemp("page")
    cut = RejectRecord(slot=9, center=90, reason="scene cut at frame 90", kinds=[FlawKind.SCENE_CUT])
    hostile = SOURCE.model_copy(update={"name": HOSTILE})
    records = [sequence(3, source=hostile, rejects=[cut]), sequence(5, split="test")]
    dataset = make_dataset(root / "a <b>set", records)
    (dataset / "train/low_blur/0003/0002.png").unlink()
    write_failures(dataset, [Failure(HOSTILE, f"cannot be read: {HOSTILE}", kind="video")])
    write_report(dataset, root / "report.html", quiet)
    return root / "report.html"


@pytest.fixture(scope="module")
def browser(page) -> Iterator[Chrome]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def opened(browser, page) -> Iterator[Chrome]:
    """The page as it is when it is opened; afterwards nobody has complained, and nothing was asked for."""
    browser.get("about:blank")
    requests_of(browser)
    complaints_of(browser)
    browser.get(address(page))
    yield browser
    assert complaints_of(browser) == []
    assert requests_of(browser) == [address(page)]


def cards(driver: Chrome) -> list[str]:
    return [text.splitlines()[0] for text in driver.execute_script(
        "return [...document.querySelectorAll('#gallery .card')].map((card) => card.innerText)"
    )]  # fmt: skip


def open_pair(driver: Chrome, name: str) -> None:
    driver.find_element(By.XPATH, f"//button[contains(@aria-label, '{name}')]").click()


def title(driver: Chrome) -> str:
    return driver.find_element(By.ID, "viewer-title").text.split()[0]


def press(driver: Chrome, *keys: str) -> None:
    ActionChains(driver).send_keys(*keys).perform()


def choose(driver: Chrome, name: str, text: str) -> None:
    Select(driver.find_element(By.ID, name)).select_by_visible_text(text)


def colour(driver: Chrome, across: float) -> Any:
    """Of the stage of the viewer, at this part of its width, a quarter down, as it is on the screen."""
    WebDriverWait(driver, 10).until(
        lambda _: driver.execute_script("return [...document.querySelectorAll('#stage img')].every((i) => i.complete)")
    )
    picture = cv2.imdecode(np.frombuffer(driver.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR_RGB)
    box = driver.find_element(By.ID, "stage").rect
    return picture[int(box["y"] + box["height"] / 4), int(box["x"] + across * box["width"])].tolist()


def is_of(folder: str) -> Any:
    return pytest.approx(COLOURS[folder], abs=6)


def test_the_gallery_shows_pairs_by_sequence(opened):
    headings = [heading.text for heading in opened.find_elements(By.CSS_SELECTOR, "#gallery h3")]
    assert headings == ["0003-0", "0005-0"]
    assert cards(opened) == [f"{video}/000{number}" for video in ("0003", "0005") for number in range(1, 7)]
    assert opened.find_element(By.ID, "count").text == "12 of 12 pairs"
    assert "12 pairs of 2 sequences from 2 videos" in opened.find_element(By.CSS_SELECTOR, ".lead").text


def test_names_are_text_wherever_they_stand(opened):
    assert opened.execute_script("return window.hacked") is None
    assert opened.find_element(By.TAG_NAME, "h1").text == "a <b>set"
    assert HOSTILE in opened.find_element(By.CSS_SELECTOR, "#gallery .group").text
    for part in ("making", "dropped"):
        opened.execute_script(f"location.hash = '{part}'")
        WebDriverWait(opened, 5).until(lambda _, part=part: HOSTILE in opened.find_element(By.ID, part).text)
    assert opened.execute_script("return window.hacked") is None


def test_pairs_are_filtered(opened):
    choose(opened, "split", "test")
    assert cards(opened) == [f"0005/000{number}" for number in range(1, 7)]
    opened.find_element(By.ID, "untrusted").click()
    assert cards(opened) == ["0005/0003", "0005/0006"]
    opened.find_element(By.ID, "path-from").send_keys("10")
    assert cards(opened) == ["0005/0006"]
    assert opened.find_element(By.ID, "count").text == "1 of 12 pairs"
    opened.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    WebDriverWait(opened, 5).until(lambda _: len(cards(opened)) == 12)
    opened.find_element(By.ID, "light-to").send_keys("4")
    assert cards(opened) == ["0003/0001", "0003/0002", "0005/0001", "0005/0002"]
    opened.find_element(By.ID, "saturated-from").send_keys("0.2")
    assert cards(opened) == ["0003/0002", "0005/0002"]
    opened.find_element(By.ID, "saturated-to").send_keys("0.1")
    assert cards(opened) == []
    opened.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    choose(opened, "tier", "easy")
    assert cards(opened) == [f"{video}/000{number}" for video in ("0003", "0005") for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("longest blur", ["0003/0006", "0005/0006", "0003/0005"]),
        ("shortest blur", ["0003/0001", "0005/0001", "0003/0002"]),
        ("darkest", ["0003/0001", "0005/0001", "0003/0002"]),
        ("brightest", ["0003/0006", "0005/0006", "0003/0005"]),
        ("most saturated", ["0003/0006", "0005/0006", "0003/0005"]),
        ("hardest", ["0003/0006", "0005/0006", "0003/0005"]),
        ("most inconsistent motion", ["0003/0003", "0003/0006", "0005/0003", "0005/0006", "0003/0001"]),
        # of those with inconsistent motion the sixth is too saturated for a night; of the others the fifth,
        # and the first is too dark
        ("worst first", ["0003/0006", "0005/0006", "0003/0003", "0005/0003", "0003/0005", "0005/0005", "0003/0001"]),
    ],
)
def test_pairs_are_sorted(opened, order, first):
    choose(opened, "sort", order)
    assert cards(opened)[: len(first)] == first
    assert opened.find_elements(By.CSS_SELECTOR, "#gallery h3") == []


def test_the_slider_parts_any_two_of_five_pictures(opened):
    open_pair(opened, "0003/0001")
    assert colour(opened, 0.4) == is_of("high_sharp_scaled")
    assert colour(opened, 0.6) == is_of("low_blur_noise")
    choose(opened, "left", "low_sharp")
    choose(opened, "right", "high_sharp_original")
    assert colour(opened, 0.4) == is_of("low_sharp")
    assert colour(opened, 0.6) == is_of("high_sharp_original")
    slider = opened.find_element(By.ID, "slider")
    slider.send_keys(Keys.END)
    assert colour(opened, 0.6) == is_of("low_sharp")
    slider.send_keys(Keys.HOME)
    assert colour(opened, 0.4) == is_of("high_sharp_original")
    stage = opened.find_element(By.ID, "stage")
    width = stage.rect["width"]
    ActionChains(opened).move_to_element(stage).click_and_hold().move_by_offset(int(0.3 * width), 0).release().perform()
    assert float(slider.get_property("value")) == pytest.approx(80, abs=1)
    assert (colour(opened, 0.7) == is_of("low_sharp"), colour(opened, 0.83) == is_of("high_sharp_original")) == (
        True,
        True,
    )


def boxes(driver: Chrome) -> list[dict[str, float]]:
    """Of each picture where it lies in its pane, and how large it is."""
    return driver.execute_script(
        "return [...document.querySelectorAll('#stage img')].map((image) => {"
        "const one = image.getBoundingClientRect(), pane = image.parentElement.getBoundingClientRect();"
        "return {x: Math.round(one.x - pane.x), y: Math.round(one.y - pane.y), width: Math.round(one.width)};})"
    )


@pytest.mark.parametrize("five", [False, True])
def test_zoom_is_in_step(opened, five):
    open_pair(opened, "0003/0003")
    if five:
        press(opened, "f")
    whole = boxes(opened)
    assert len(whole) == (5 if five else 2)
    press(opened, "+", "+")
    zoomed = boxes(opened)
    assert all(box == zoomed[0] for box in zoomed)
    assert zoomed[0]["width"] == pytest.approx(2.25 * whole[0]["width"], abs=2)
    assert opened.find_element(By.ID, "scale").text == "225 %"
    stage = opened.find_element(By.ID, "stage")
    drag = ActionChains(opened).move_to_element_with_offset(stage, -100, -40).click_and_hold().move_by_offset(-30, -20)
    drag.release().perform()
    moved = boxes(opened)
    assert all(box == moved[0] for box in moved)
    assert (zoomed[0]["x"] - moved[0]["x"], zoomed[0]["y"] - moved[0]["y"]) == (30, 20)
    opened.execute_script(
        "const pane = document.querySelectorAll('.pane')[1];"
        "const box = pane.getBoundingClientRect();"
        "pane.dispatchEvent(new WheelEvent('wheel', {deltaY: -300, bubbles: true, cancelable: true,"
        "clientX: box.x + box.width / 2, clientY: box.y + box.height / 2}));"
    )
    wheeled = boxes(opened)
    assert all(box == wheeled[0] for box in wheeled)
    assert wheeled[0]["width"] == pytest.approx(2.718 * moved[0]["width"], rel=0.01)
    press(opened, "0")
    assert boxes(opened) == whole


def test_everything_goes_by_keys(opened):
    press(opened, Keys.TAB)
    assert opened.switch_to.active_element.get_attribute("class") == "skip"
    opened.execute_script("document.querySelector('#gallery .card').focus()")
    press(opened, Keys.ARROW_RIGHT)
    assert "0003/0002" in opened.switch_to.active_element.get_attribute("aria-label")
    press(opened, Keys.END)
    assert "0005/0006" in opened.switch_to.active_element.get_attribute("aria-label")
    press(opened, Keys.HOME, Keys.ARROW_RIGHT, Keys.ENTER)
    assert title(opened) == "0003/0002"
    press(opened, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert title(opened) == "0003/0003"
    for key, side in (("2", "left"), ("5", "right")):
        chain = ActionChains(opened)
        (chain.key_down(Keys.SHIFT) if side == "right" else chain).send_keys(key).key_up(Keys.SHIFT).perform()
        chosen = Select(opened.find_element(By.ID, side)).first_selected_option.text
        assert chosen == FOLDERS[int(key) - 1]
    before = float(opened.find_element(By.ID, "slider").get_property("value"))
    ActionChains(opened).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT).perform()
    assert float(opened.find_element(By.ID, "slider").get_property("value")) == before - 2
    press(opened, "b")
    assert opened.find_element(By.ID, "bright").get_attribute("aria-pressed") == "true"
    press(opened, Keys.ESCAPE)
    assert not opened.find_element(By.ID, "viewer").is_displayed()
    assert "0003/0003" in opened.switch_to.active_element.get_attribute("aria-label")


def test_the_dark_is_brightened(opened):
    open_pair(opened, "0003/0001")
    press(opened, "b")
    assert colour(opened, 0.6) == pytest.approx([min(255, 4 * value) for value in COLOURS["low_blur_noise"]], abs=24)
    assert colour(opened, 0.4) == is_of("high_sharp_scaled")


def test_a_picture_that_is_gone_is_told(opened):
    open_pair(opened, "0003/0002")
    assert opened.find_element(By.ID, "gone").text == "low_blur: cannot be read: No such file or directory"
    choose(opened, "left", "low_blur")
    assert len(opened.find_elements(By.CSS_SELECTOR, "#stage img")) == 1
    opened.find_element(By.ID, "next").click()
    assert opened.find_element(By.ID, "gone").text == ""


def test_every_part_tells_what_it_is_about(opened):
    shown = {}
    for part in PARTS:
        opened.find_element(By.CSS_SELECTOR, f"nav a[href='#{part}']").click()
        visible = [each for each in opened.find_elements(By.CSS_SELECTOR, "main > section") if each.is_displayed()]
        assert [each.get_attribute("id") for each in visible] == [part]
        shown[part] = visible[0].text
    assert "12 pairs, 2.0 to 12.0, mean 7.0; real nights 3.8 to 12.3" in shown["distributions"]
    assert "2 sequences, sigma 0.5 to 1 pixels." in shown["making"]
    assert "1 windows: scene cut" in shown["dropped"]
    assert "darken 3 s 100%" in shown["times"]


def nodes(driver: Chrome) -> list[dict[str, Any]]:
    tree = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [node for node in tree if not node["ignored"]]


def test_a_screen_reader_has_a_name_for_everything(opened):
    asked = {
        "button",
        "combobox",
        "MenuListPopup",
        "spinbutton",
        "slider",
        "checkbox",
        "link",
        "image",
        "dialog",
        "form",
    }
    seen = set()
    for act in (lambda: None, lambda: open_pair(opened, "0003/0003"), lambda: press(opened, Keys.ESCAPE)):
        act()
        for node in nodes(opened):
            role = node["role"]["value"]
            if role in asked - {"MenuListPopup"}:
                seen.add(role)
                assert node["name"]["value"].strip(), node
    opened.find_element(By.CSS_SELECTOR, "nav a[href='#distributions']").click()

    def plots_have_names(_: Chrome) -> bool:  # once the tree that is read aloud has caught up with the page
        plots = [node["name"]["value"] for node in nodes(opened) if node["role"]["value"] in ("image", "img")]
        return any(name.startswith("mean L*: 12 pairs") for name in plots)

    WebDriverWait(opened, 30).until(plots_have_names)
    assert {"button", "slider", "combobox", "checkbox", "spinbutton", "link", "dialog"} <= seen


def background(driver: Chrome) -> float:
    shade = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    return float(np.mean([float(value) for value in re.findall(r"[\d.]+", shade)[:3]]))


def test_light_and_dark_go_by_the_system_until_somebody_chooses(page):
    for scheme, dark in (("light", False), ("dark", True)):
        with chromium(prefers_color_scheme=scheme) as driver:
            driver.get(address(page))
            assert (background(driver) < 60) == dark
            driver.find_element(By.ID, "theme").click()
            assert (background(driver) < 60) != dark
            driver.refresh()
            assert (background(driver) < 60) != dark


def test_who_wants_no_motion_gets_none(page):
    for wanted, still in (("reduce", True), ("no-preference", False)):
        with chromium(prefers_reduced_motion=wanted) as driver:
            driver.get(address(page))
            took = driver.execute_script("return getComputedStyle(document.querySelector('nav a')).transitionDuration")
            assert (set(took.split(", ")) == {"0s"}) == still


def test_on_a_phone_nothing_is_wider_than_the_screen(page):
    with chromium(390, 844) as driver:
        driver.get(address(page))
        assert not driver.find_element(By.ID, "split").is_displayed()
        driver.find_element(By.ID, "filter").click()
        assert driver.find_element(By.ID, "split").is_displayed()
        for part in PARTS:
            driver.execute_script(f"location.hash = '{part}'")
            WebDriverWait(driver, 5).until(lambda _, part=part: driver.find_element(By.ID, part).is_displayed())
            assert driver.execute_script("return document.scrollingElement.scrollWidth") <= 390, part
        driver.execute_script("location.hash = 'pictures'")
        WebDriverWait(driver, 5).until(lambda _: cards(driver))
        open_pair(driver, "0003/0001")
        viewer: WebElement = driver.find_element(By.ID, "viewer")
        assert driver.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", viewer)


def test_of_thousands_of_pictures_few_are_in_the_document(tmp_path):
    needs_chromium()
    dataset = make_dataset(tmp_path / "d", [sequence(video, 30) for video in range(50)])
    assert write_report(dataset, tmp_path / "report.html", quiet).pictured == 1500
    with chromium() as driver:
        driver.get(address(tmp_path / "report.html"))
        most = driver.execute_async_script(
            "const done = arguments[0]; let most = 0, before = -1; const step = () => {"
            "most = Math.max(most, document.querySelectorAll('#gallery img').length);"
            "if (scrollY === before) return done(most);"
            "before = scrollY; scrollBy(0, innerHeight); requestAnimationFrame(() => setTimeout(step)); }; step();"
        )
        assert 20 <= most <= 80
        assert cards(driver)[-1] == "0049/0030"
        assert complaints_of(driver) == []
