"""The HTML report in a real browser: what a person does there, and what a stranger's names may not.

Needs Chromium and its driver (``apt-get install chromium chromium-driver``).
"""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from pip_intoto.reports import html
from tests.unit.reports import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pip_intoto.account import Account

pytestmark = [pytest.mark.matrix, pytest.mark.browser]

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser:
    """Chromium with the report of an account in it."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        self.driver = driver
        self._folder = folder

    def read(self, account: Account, fragment: str = "") -> None:
        """Write the report of ``account`` and open it; whatever was chosen before is gone."""
        path = self._folder / "report.html"
        path.write_text(html.render(account), "utf-8")
        self.command("Emulation.setScriptExecutionDisabled", value=False)
        self.look()
        self.driver.get("about:blank")
        self.driver.get(path.as_uri() + fragment)

    def command(self, name: str, **arguments: object) -> dict[str, str]:
        result: dict[str, str] = self.driver.execute_cdp_cmd(name, arguments)
        return result

    def look(self, *, width: int = 1280, scheme: str = "light") -> None:
        """Change the width of the window, and the scheme that the system asks for."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", features=[feature])

    def find(self, selector: str) -> webdriver.remote.webelement.WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def shown(self) -> list[str]:
        """The names in the rows that can be seen, in their order."""
        found = self.script(
            "return [...document.querySelectorAll('tbody[id]')]"
            ".filter((row) => row.getClientRects().length)"
            ".map((row) => row.querySelector('.name b').textContent)"
        )
        assert isinstance(found, list)
        return [str(each) for each in found]

    def script(self, text: str) -> object:
        result: object = self.driver.execute_script(text)
        return result

    def wait(self, expression: str) -> None:
        """Wait until a script's expression is true."""
        WebDriverWait(self.driver, 5).until(lambda _: self.script(f"return {expression}"))

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        """What stands in the console; reading empties it."""
        return [str(each["message"]) for each in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def picture(self) -> bytes:
        return base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium and its driver are not there")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in (*_OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as started:
        yield Browser(started, tmp_path_factory.mktemp("report"))


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """A browser with the report of everything; its console must stay empty."""
    chromium.complaints()
    chromium.read(accounts.account())
    yield chromium
    assert chromium.complaints() == []


# --- looking for something --------------------------------------------------------------------


def test_a_status_is_filtered_for_and_the_address_says_so(browser: Browser) -> None:
    assert len(browser.shown()) == 10
    browser.find("[data-status=invalid] button").click()
    browser.find("[data-status=missing] button").click()
    assert browser.shown() == ["jinja2", "werkzeug", "rich", "tqdm"]
    assert browser.find("[data-status=invalid] button").get_attribute("aria-pressed") == "true"
    assert browser.find("#shown").text == "4 of 10 distributions"
    assert browser.driver.current_url.endswith("#status=invalid,missing")
    browser.find("#reset").click()
    assert len(browser.shown()) == 10
    assert "#" not in browser.driver.current_url


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("flask", ["flask"]),
        ("RULE-violated", ["jinja2"]),
        ("dev tools", ["own-tool"]),
        ("pylock.toml:1 missing", ["rich", "tqdm"]),
        (accounts.distribution("click", "8.1.7").sha256 or "", ["click"]),
        ("there is no such thing", []),
    ],
)
def test_text_is_filtered_for_and_counts_follow(
    browser: Browser, text: str, found: list[str]
) -> None:
    browser.find("#text").send_keys(text)
    browser.wait(
        f"document.getElementById('shown').textContent === '{len(found)} of 10 distributions'"
    )
    assert browser.shown() == found
    counts = [
        int(each.text) for each in browser.driver.find_elements(By.CSS_SELECTOR, ".tile .count")
    ]
    assert sum(counts) == len(found)
    assert browser.find("#none").is_displayed() is not bool(found)


def test_the_table_is_sorted_by_name_status_and_place(browser: Browser) -> None:
    first = browser.shown()
    browser.find("[data-sort=name] button").click()
    assert browser.shown() == sorted(first)
    assert browser.find("[data-sort=name]").get_attribute("aria-sort") == "ascending"
    browser.find("[data-sort=name] button").click()
    assert browser.shown() == sorted(first, reverse=True)
    assert "order=descending" in browser.driver.current_url
    browser.find("[data-sort=place] button").click()
    # Lines are numbers there: 12 comes before 100.
    assert browser.shown()[:4] == ["werkzeug", "flask", "click", "legacy-tool"]
    browser.find("[data-sort=status] button").click()
    assert browser.shown() == first


def test_a_link_shows_the_same_to_others(browser: Browser) -> None:
    browser.read(
        accounts.account(), "#status=invalid,verified&text=a&sort=name&order=descending&open=0"
    )
    assert browser.shown() == ["werkzeug", "jinja2", "flask", "click"]
    assert browser.find("#text").get_attribute("value") == "a"
    assert browser.find("#p0 .chain").is_displayed()
    browser.script("location.hash = 'status=exempt'")
    browser.wait("document.querySelectorAll('tbody[id]:not([hidden])').length === 1")
    assert browser.shown() == ["legacy-tool"]


@pytest.mark.parametrize(
    "fragment", ["#status=<img>&open=x,99&sort=__proto__&order=up", "#%%%=%", "#=&=&text=%00"]
)
def test_an_address_that_makes_no_sense_does_no_harm(browser: Browser, fragment: str) -> None:
    browser.read(accounts.account(), fragment)
    assert browser.find("#controls").is_displayed()
    browser.find("#reset").click()
    assert len(browser.shown()) == 10


# --- looking at one of them -------------------------------------------------------------------


def test_a_distribution_is_opened_with_the_keyboard_alone(browser: Browser) -> None:
    focused = []
    for _ in range(20):
        browser.press(Keys.TAB)
        focused.append(browser.script("return document.activeElement.textContent.trim()"))
        if str(focused[-1]).startswith("jinja2"):
            break
    assert focused[0] == "Skip to the distributions"
    assert str(focused[-1]).startswith("jinja2")
    outline = browser.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    browser.press(Keys.ENTER)
    button = browser.driver.switch_to.active_element
    assert button.get_attribute("aria-expanded") == "true"
    assert browser.find(f"#{button.get_attribute('aria-controls')}").is_displayed()
    assert browser.find("#p6 .chain").is_displayed()
    assert browser.driver.current_url.endswith("#open=6")
    browser.press(Keys.SPACE)
    assert button.get_attribute("aria-expanded") == "false"
    assert not browser.find("#p6 .panel").is_displayed()


def test_the_skip_link_leads_past_the_head(browser: Browser) -> None:
    browser.press(Keys.TAB, Keys.ENTER)
    assert browser.script("return document.activeElement.id") == "packages"
    assert len(browser.shown()) == 10


def test_the_drawing_has_size_and_shows_where_it_broke(browser: Browser) -> None:
    browser.read(accounts.account(), "#open=6")
    box = browser.script(
        "const box = document.querySelector('#p6 .chain use').getBoundingClientRect();"
        "return [box.width, box.height]"
    )
    assert isinstance(box, list)
    assert box[0] > 272
    assert box[1] > 500
    assert "broke here" in browser.find("#p6 .chain").text
    # No text leaves its drawing.
    assert browser.script(
        "const all = document.querySelector('#p6 .chain').getBoundingClientRect();"
        "return [...document.querySelectorAll('#p6 .chain tspan')].every((each) => {"
        "const box = each.getBoundingClientRect();"
        "return box.left >= all.left && box.right <= all.right && box.bottom <= all.bottom})"
    )


def test_all_that_is_shown_is_opened_at_once(browser: Browser) -> None:
    browser.find("[data-status=verified] button").click()
    browser.find("#expand").click()
    opened = browser.driver.find_elements(By.CSS_SELECTOR, ".panel .chain")
    assert len(opened) == 2
    assert browser.find("#expand").text == "Close all shown"
    browser.find("#expand").click()
    assert not any(each.is_displayed() for each in opened)


def test_without_scripts_everything_is_there(browser: Browser) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    browser.driver.refresh()
    assert browser.find("#p6 .chain").is_displayed()
    assert not browser.find("#controls").is_displayed()
    summary = browser.find("#p0 summary")
    assert not browser.find("#p0 .panel").is_displayed()
    summary.click()
    assert browser.find("#p0 .chain").is_displayed()


# --- how it looks -----------------------------------------------------------------------------


def ground(browser: Browser) -> object:
    return browser.script("return getComputedStyle(document.documentElement).backgroundColor")


def test_light_and_dark_follow_the_system_until_somebody_chooses(browser: Browser) -> None:
    light = ground(browser)
    picture = browser.picture()
    browser.look(scheme="dark")
    dark = ground(browser)
    assert dark != light
    assert browser.picture() != picture
    theme = browser.find("#theme")
    theme.click()
    assert (theme.text, ground(browser)) == ("Theme: light", light)
    theme.click()
    browser.look(scheme="light")
    assert (theme.text, ground(browser)) == ("Theme: dark", dark)
    theme.click()
    assert (theme.text, ground(browser)) == ("Theme: automatic", light)


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("account", [accounts.account(), accounts.hostile()])
def test_no_width_needs_scrolling_to_the_side(
    browser: Browser, account: Account, width: int
) -> None:
    browser.read(account)
    browser.look(width=width)
    browser.find("#expand").click()
    assert browser.script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_paper_is_white_and_has_no_controls(browser: Browser) -> None:
    browser.look(scheme="dark")
    browser.command("Emulation.setEmulatedMedia", media="print")
    assert ground(browser) == "rgb(255, 255, 255)"
    assert not browser.find("#controls").is_displayed()
    browser.command("Emulation.setEmulatedMedia", media="")


# --- what must not happen ---------------------------------------------------------------------


def test_no_script_of_a_name_runs_and_nothing_is_fetched(browser: Browser) -> None:
    browser.read(accounts.hostile())
    browser.find("#expand").click()
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, ".panel")) == 45
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, "script")) == 1
    assert not browser.driver.find_elements(By.CSS_SELECTOR, "img, iframe, link, object")
    assert browser.script("return performance.getEntriesByType('resource').length") == 0


def test_a_script_that_got_in_would_not_run(chromium: Browser) -> None:
    chromium.read(accounts.clean())
    chromium.complaints()
    chromium.script(
        "const other = document.createElement('script'); other.textContent = 'window.ran = 1';"
        "document.body.append(other);"
        "document.body.insertAdjacentHTML('beforeend',"
        " '<img src=https://evil.example/x.png onerror=\"window.ran = 2\">');"
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')"
    )
    assert chromium.script("return window.ran") is None
    said = "\n".join(chromium.complaints())
    assert "script-src" in said
    assert "img-src" in said
    assert "style-src" in said


# --- how long it takes ------------------------------------------------------------------------


def test_5_000_distributions_can_be_used_soon(chromium: Browser) -> None:
    chromium.read(accounts.large(5_000))
    ready = chromium.script(
        "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    )
    assert isinstance(ready, (int, float))
    assert ready < 5_000
    assert len(chromium.shown()) == 500
    assert chromium.find("#shown").text == "5,000 distributions"
    chromium.find("[data-status=invalid] button").click()
    assert chromium.find("#shown").text == "100 of 5,000 distributions"
    assert len(chromium.shown()) == 100
    chromium.find("[data-status=invalid] button").click()
    chromium.find("#rest").click()
    assert len(chromium.shown()) == 5_000
    assert chromium.script("return document.activeElement.className") == "name"
    chromium.driver.get("about:blank")
