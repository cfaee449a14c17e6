"""Grid benchmark: the contact sheet of the console in Chromium, beside a page that holds every picture.

python -m bench.grid [--items 10000 100000]     --quick: 2,000 items

Items with assets are written into Postgres, one a row, and the console's own page shows them from the API, signed in.
The thumbnails of all are a few pictures that the program answers itself: S3 is not what is measured. It prints the
first paint, the longest task of the page's script while it scrolls, what the browser's process takes, the cells in the
document, and how high the box that scrolls is. It ends with an error where the last image is not reached.

The alternative is what a page does without any of it: a list of all pictures with `loading="lazy"`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright
from sqlalchemy import text

from bench.result import Ratio, parser, report
from bench.served import ServedApi, served_api
from bench.stored import as_owner, new_request, store_items
from workers.thumbnails.picture import thumbnail

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
_PICTURES = 24  # different ones
_ASSETS = text(
    """
    INSERT INTO assets (id, item_id, request_id, tenant, state, watermark_id, policy_version, provenance, thumbhash)
    SELECT i.id, i.id, i.request_id, i.tenant, 'released', :first + i.row, '-', '{}',
      (CAST(:hashes AS text[]))[1 + i.row % :pictures]
    FROM items i WHERE i.request_id = :request AND i.state = 'released'
    """
)
_WATCH = (
    "new PerformanceObserver((list) => (window.tasks ??= []).push(...list.getEntries().map((one) => one.duration)))\
.observe({ type: 'longtask', buffered: true })"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """How a page did."""

    first_paint: float  # seconds
    first_names: float  # seconds until the first cells have their names
    longest_task: float  # milliseconds while it scrolled; below 50 none is told
    megabytes: float  # of the browser's process that draws the page, after a collection of garbage
    cells: int
    pixels: int


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--items", type=int, nargs="+")
    asked = options.parse_args()
    counts = sorted(asked.items or ([2_000] if asked.quick else [10_000, 100_000]))
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("Chromium is not installed")
    with served_api() as api, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        grids = [_grid(browser, api, count) for count in counts]
        plain = _plain(browser, api, counts[0])
        browser.close()
    for name, shown in (
        *zip([f"grid, {count:,} items" for count in counts], grids, strict=True),
        (f"plain list, {counts[0]:,}", plain),
    ):
        print(
            f"{name:22} first paint {shown.first_paint:5.2f} s   names {shown.first_names:5.2f} s"
            f"   longest task {shown.longest_task:6.0f} ms   {shown.megabytes:5.0f} MB"
            f"   {shown.cells:6,} cells   {shown.pixels:10,} pixels high"
        )
    first = grids[0]
    ratios = [
        Ratio("memory of a plain list over the grid", plain.megabytes / first.megabytes),
        Ratio("cells of a plain list over the grid", plain.cells / first.cells),
        Ratio("time to names in a plain list over the grid", plain.first_names / first.first_names, tolerance=3),
    ]
    report(ratios, asked.json)


def _grid(browser: Browser, api: ServedApi, count: int) -> Shown:
    page = _page(browser, api)
    request = _written(api, count)
    page.goto(f"{api.url}/console/campaigns/{request}/sheet")
    page.wait_for_selector("picture-grid .name:text-is('good-2')")
    return _scrolled(page, browser, "picture-grid", "picture-grid .cell", f"picture-grid .name:text-is('good-{count}')")


def _plain(browser: Browser, api: ServedApi, count: int) -> Shown:
    page = _page(browser, api)
    picture = '<img loading="lazy" width="190" height="190" src="/t/{0}/thumbnail">'
    tiles = "".join(f'<a href="#{n}">{picture.format(n)}<i class="name">good-{n}</i></a>' for n in range(1, count + 1))
    style = "main { height: 100vh; overflow: auto } a { display: inline-block; width: 200px; height: 230px }"
    html = f"<!doctype html><style>{style}</style><main class=box>{tiles}</main>"
    page.route("**/plain", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{api.url}/plain")
    page.wait_for_selector(".name:text-is('good-2')")
    return _scrolled(page, browser, ".box", "a", f".name:text-is('good-{count}')")


def _scrolled(page: Page, browser: Browser, box: str, cell: str, last: str) -> Shown:
    """Its figures after the wheel, jumps over the whole of it, and the end."""
    paint, names = page.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000, performance.now() / 1000]"
    )
    page.wait_for_timeout(500)
    page.evaluate(f"window.tasks = []; {_WATCH}; window.tasks = []")
    page.hover(box)
    cells = 0
    for _turn in range(60):
        page.mouse.wheel(0, 900)
        page.wait_for_timeout(30)
        cells = max(cells, page.locator(cell).count())
    pixels = page.evaluate(f"document.querySelector({box!r}).scrollHeight")
    for part in (0.25, 0.5, 0.9, 0.1, 1.0):
        page.evaluate(f"((box) => (box.scrollTop = box.scrollHeight * {part}))(document.querySelector({box!r}))")
        page.wait_for_timeout(400)
        cells = max(cells, page.locator(cell).count())
    page.wait_for_selector(last)
    longest = page.evaluate("Math.max(0, ...window.tasks)")
    page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
    return Shown(paint, names, longest, _megabytes(), cells, int(pixels))


def _page(browser: Browser, api: ServedApi) -> Page:
    """A page of its own, signed in; the thumbnails are answered here."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en").new_page()
    page.set_default_timeout(120_000)
    made = [thumbnail(one).data for one in _pictures()]

    def answer(route: Route) -> None:
        number = int(route.request.url.split("/")[-2][-4:], 16) if "-" in route.request.url else 0
        route.fulfill(body=made[number % _PICTURES], content_type="image/webp")

    page.route("**/thumbnail", answer)
    page.goto(f"{api.url}/console/campaigns")
    page.fill("#key", api.key)
    page.click("main button.primary")
    page.wait_for_url("**/console/campaigns")
    return page


def _pictures() -> Iterator[bytes]:
    for n in range(_PICTURES):
        draw = np.random.default_rng(n)
        small = Image.fromarray(draw.integers(0, 256, (6, 6, 3), np.uint8)).resize((256, 256), Image.Resampling.BICUBIC)
        written = BytesIO()
        small.save(written, "JPEG")
        yield written.getvalue()


def _written(api: ServedApi, count: int) -> str:
    """A request of so many items, of which all but the first are released."""
    request, engine = new_request(api), as_owner(api)
    values: dict[str, Any] = {
        "request": request,
        "first": count * 1_000_000,
        "pictures": _PICTURES,
        "hashes": [thumbnail(one).hash for one in _pictures()],
    }
    with engine.begin() as conn:
        store_items(conn, request, count, "released", {"decision": "allow", "policy_version": "-", "findings": []})
        conn.execute(_ASSETS, values)
    engine.dispose()
    return request


def _megabytes() -> float:
    """Of the largest process that draws a page of this program's browser: memory that it shares with nobody."""
    drawing = [child for child in psutil.Process().children(recursive=True) if "--type=renderer" in child.cmdline()]
    return max(child.memory_full_info().uss for child in drawing) / 1e6


if __name__ == "__main__":
    main()
