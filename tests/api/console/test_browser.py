"""Console in a real browser: main paths, keyboard, policy of content and accessibility.

A message of the browser's console, a broken rule of the policy or an error of a script fails the test that caused it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from tests.support.campaigns import Sent, settled_campaign
from tests.support.catalogues import ROWS, SPEC, Catalogue, feed
from tests.support.client import ApiServer, ApiTenant, campaign
from tests.support.line import eventually
from tests.support.repository import REPOSITORY
from tests.support.reviews import Reviewing

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed; .ci/run installs it where it may")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
AXE = REPOSITORY / "tests/support/axe/axe.min.js"
SERIOUS = ("serious", "critical")


@dataclass
class Seen:
    """A browser's page that is signed in, and what the browser complained of."""

    page: Page
    base: str
    tenant: ApiTenant
    sent: Sent
    key: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page


@pytest.fixture(scope="module")
def opened(module_api: ApiServer) -> Iterator[Seen]:
    """One browser, one server and one campaign for the whole file."""
    tenant = ApiTenant(module_api, [])
    sent = settled_campaign(tenant)
    key = module_api.key(tenant.tenant, person="alice@example.com")[1]
    with module_api.served() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(ARGUMENTS))
        seen = Seen(browser.new_page(locale="en"), f"http://127.0.0.1:{served.port}", tenant, sent, key)
        seen.page.on("console", lambda message: seen.complaints.extend(_worth_telling(message)))
        seen.page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
        seen.page.set_default_timeout(60_000)
        page = seen.go("/console/campaigns")
        page.fill("#key", key)
        page.click("main button.primary")
        page.wait_for_url("**/console/campaigns")
        yield seen
        browser.close()


def _worth_telling(message: ConsoleMessage) -> Iterator[str]:
    """The tests' stored bytes are no pictures: that the browser misses some is no fault of a page."""
    is_picture = message.location["url"].endswith("/thumbnail") or "/console" not in message.location["url"]
    if not (message.text.startswith("Failed to load resource") and is_picture):
        yield f"{message.type}: {message.text}"


@pytest.fixture
def seen(opened: Seen) -> Iterator[Seen]:
    opened.complaints.clear()
    yield opened
    assert opened.complaints == []


def test_no_page_has_a_serious_barrier_in_either_theme(seen: Seen) -> None:
    asset, request = seen.sent.released[0], seen.sent.id
    paths = ("", "/campaigns", f"/campaigns/{request}", f"/campaigns/{request}/sheet", "/new", "/review", "/identify")
    plan = Catalogue(seen.tenant, {**SPEC, "name": "stools"}).plan(feed(ROWS[:2]))
    catalogue = ("/catalogues", "/catalogues/stools", f"/catalogues/stools/plans/{plan['id']}")
    registers = ("/usage", "/models", "/inputs", "/inputs/mask", "/audit", "/settings")
    paths = (*paths, *catalogue, *registers, f"/assets/{asset}", "/sign-in")
    page, found = seen.page, {}
    for theme, path in ((theme, path) for path in paths for theme in ("light", "dark")):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        seen.go(f"/console{path}")
        page.evaluate(AXE.read_text("utf-8"))
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)")
        bad = [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations if one["impact"] in SERIOUS]
        if bad:
            found[theme, path] = bad
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert found == {}


def test_a_link_signs_in_and_its_secret_leaves_the_address(seen: Seen) -> None:
    path = seen.tenant.caller(("read",)).post("/console/links").json()["path"]
    context = seen.page.context.browser.new_context() if seen.page.context.browser else None
    assert context is not None
    page = context.new_page()
    page.goto(seen.base + path)
    page.wait_for_selector("h1:has-text('Welcome')")
    assert page.url == f"{seen.base}/console"
    assert page.evaluate("document.cookie") == ""
    assert page.locator("nav a[href='/console/new']").count() == 0  # the key only reads
    context.close()


def test_held_pictures_are_decided_by_keyboard_and_taken_back_before_they_are_sent(seen: Seen) -> None:
    reviewing = Reviewing(seen.tenant.server.line, seen.tenant.tenant)
    ids = reviewing.hold("brands", "brands", "adult")
    page = seen.go("/console/review?category=brands")
    page.wait_for_selector("#name:not(:empty)")
    page.keyboard.press("x")
    page.keyboard.press("1")
    page.wait_for_selector("#outbox button")
    page.keyboard.press("u")
    page.wait_for_selector("#outbox :text('Nothing was sent')")
    assert not any(reviewing.said(id) for id in ids)
    page.keyboard.press("x")
    page.keyboard.press("1")
    page.keyboard.press("p")  # the next one: the one before is sent at once
    page.wait_for_selector("#outbox .yes")
    eventually(lambda: all(reviewing.said(id) for id in ids[:2]))
    first, second = (reviewing.said(id)[0] for id in ids[:2])
    assert (first.decision, first.comment) == ("refuse", "A brand can be recognised")
    assert second.decision == "release"
    assert page.is_visible("#empty")
    page.goto(f"{seen.base}/console/review?category=adult")
    page.wait_for_selector("#picture.covered", state="attached")
    page.keyboard.press("b")
    page.wait_for_selector("#picture:not(.covered)", state="attached")


def test_a_key_decides_about_the_picture_on_the_screen_where_another_reviewer_has_claimed_some(seen: Seen) -> None:
    reviewing = Reviewing(seen.tenant.server.line, seen.tenant.tenant)
    taken, free, last = reviewing.hold("weapons", "weapons", "weapons")
    ben = seen.tenant.caller(("review",))
    assert ben.post("/v1/reviews/claims", json={"item_ids": [taken]}).json()["claimed"] == [taken]
    page = seen.go("/console/review?category=weapons")
    page.wait_for_selector("#name:not(:empty)")
    assert page.inner_text("#name") == "row-2"  # what Ben looks at comes later
    page.keyboard.press("p")
    page.wait_for_selector("#name:text-is('row-3')")
    page.keyboard.press("p")  # the one before is sent at once
    eventually(lambda: reviewing.said(free))
    page.wait_for_selector("#name:text-is('row-1')")
    eventually(lambda: reviewing.said(last))
    assert not reviewing.said(taken)


def test_a_spreadsheet_is_dropped_checked_put_right_and_submitted(seen: Seen, tmp_path: Path) -> None:
    table = tmp_path / "goods.csv"
    table.write_text("sku,product\n1,backpack\n2,red car\n")
    page = seen.go("/console/new")
    page.set_input_files("#file", table)
    page.fill("#template", "a {prodct}")
    page.click("button[data-act=check]")
    page.wait_for_selector("#answer .remedy")
    page.fill("#template", "a {product}")
    page.fill("#key-column", "sku")
    page.click("button[data-act=check]")
    page.wait_for_selector("#answer button[data-act=submit]")
    assert "a red car" in page.inner_text("#answer .prompts")
    page.click("#answer button[data-act=submit]")
    page.click("#answer a.primary")
    page.wait_for_selector("#live")
    assert page.locator("#rows tbody tr").count() == 2


def test_a_feed_is_dropped_planned_and_applied(seen: Seen, tmp_path: Path) -> None:
    goods = Catalogue(seen.tenant)
    goods.plan(feed(ROWS[:1]))
    table = tmp_path / "feed.csv"
    table.write_text(feed(ROWS[:2]))
    page = seen.go("/console/catalogues/chairs")
    page.set_input_files("#file", table)
    page.click("#feed button")
    page.wait_for_selector(".changes li >> nth=1")
    page.click("button:text('Apply this plan')")
    page.wait_for_selector("text=It was applied as run 1")


def test_pictures_are_dropped_and_what_is_refused_is_told_by_name(seen: Seen, tmp_path: Path) -> None:
    good, bad = tmp_path / "mug.png", tmp_path / "notes.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(good)
    bad.write_text("no picture")
    page = seen.go("/console/inputs")
    page.set_input_files("#file", [good, bad])
    page.wait_for_selector("#outcome strong:text('notes.png')")
    seen.complaints[:] = [one for one in seen.complaints if "400" not in one and "422" not in one]  # the refusal itself
    page = seen.go("/console/inputs")
    assert "mug.png" in page.inner_text("table")


def test_a_mask_is_painted_by_pointer_and_keyboard_taken_back_and_sent_in_with_its_photo(
    seen: Seen, tmp_path: Path
) -> None:
    photo = tmp_path / "cup.png"
    Image.new("RGB", (200, 100), (30, 90, 200)).save(photo)
    page = seen.go("/console/inputs/mask")
    page.set_input_files("#file", photo)
    page.wait_for_selector("#canvas:visible")
    assert page.is_disabled("#save")
    box = page.locator("#canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    said = [page.inner_text("#covered")]
    page.focus("#canvas")
    for key in (*["ArrowDown"] * 8, "Space"):
        page.keyboard.press(key)
    said.append(page.inner_text("#covered"))
    page.keyboard.press("u")
    assert page.inner_text("#covered") == said[0] != said[1]
    page.click("summary:text('Shapes by numbers')")
    page.fill("#shape-width", "100")  # the left half, whole
    page.click("#shape-paint")
    page.evaluate(
        """() => {
          window.sent = [];
          presswork.call = async (path, options) => {
            window.sent.push(options.body.get("file"));
            return Response.json({ id: `i${window.sent.length}`, state: "ready" });
          };
        }"""
    )
    page.click("#save")
    page.wait_for_selector("#saved:visible")
    assert (page.inner_text("#image-id"), page.inner_text("#mask-id")) == ("i1", "i2")
    shown = """async () => {
      const picture = await createImageBitmap(window.sent[1]), canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [picture.width, picture.height];
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(picture, 0, 0);
      const at = (x, y) => [...context.getImageData(x, y, 1, 1).data];
      return [picture.width, picture.height, at(50, 50), at(180, 10)];
    }"""
    assert page.evaluate(shown) == [200, 100, [255, 255, 255, 255], [0, 0, 0, 255]]


def test_the_grid_holds_few_cells_and_finds_every_place(seen: Seen) -> None:
    rows = "".join(f"{number},car\n" for number in range(1, 1501))
    sent = campaign(seen.tenant.caller(), f"sku,product\n{rows}", template="a {product}", key="sku")
    page = seen.go(f"/console/campaigns/{sent.json()['id']}/sheet")
    page.wait_for_selector("picture-grid .name:text-is('1')")
    count = "document.querySelectorAll('picture-grid .cell').length"
    for place in (1500, 700, 1):
        page.fill("#place", str(place))
        page.press("#place", "Enter")
        page.wait_for_selector(f"picture-grid .name:text-is('{place}')")
        assert 0 < page.evaluate(count) <= 120
    page.keyboard.press("End")
    page.wait_for_selector("picture-grid .name:text-is('1500')")
    page.wait_for_function("document.activeElement.querySelector('.name')?.textContent === '1500'")
    assert page.get_attribute("picture-grid", "role") == "grid"


def test_the_browser_lets_no_script_of_ours_be_joined_by_another(seen: Seen) -> None:
    seen.go("/console")
    ran = seen.page.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.textContent = "window.ran = true"; document.body.append(script); } catch { return "refused"; }
          return window.ran ?? "blocked";
        }"""
    )
    assert ran in ("refused", "blocked")
    assert json.dumps(seen.complaints).count("Content Security Policy") >= 1 or ran == "refused"
    seen.complaints.clear()
