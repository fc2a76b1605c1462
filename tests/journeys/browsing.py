"""A browser that remembers everything it complained about."""

from __future__ import annotations

import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests.browsers import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
INLINE = ("data:", "blob:", "about:")
ABORTED = "net::ERR_ABORTED"  # a poll cut short because the page was left
MOST_PAGES = 80


@dataclass
class Watch:
    """What went wrong on any page: errors, failed or refused requests, requests to elsewhere."""

    home: str
    complaints: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("console", lambda said: self._say(page, said.text, said.type in LOUD))
        page.on("pageerror", lambda problem: self._say(page, str(problem)))
        page.on("requestfailed", lambda request: self._failed(page, request))
        page.on("response", lambda a: self._say(page, f"{a.status} {a.url}", a.status >= 400))
        page.on("request", lambda request: self._say(page, request.url, self._is_outside(request)))

    def heard(self) -> list[str]:
        """The complaints since the last time."""
        heard, self.complaints = self.complaints, []
        return heard

    def _is_outside(self, request: Request) -> bool:
        return not request.url.startswith((self.home + "/", *INLINE))

    def _failed(self, page: Page, request: Request) -> None:
        self._say(page, f"{request.failure} {request.url}", request.failure != ABORTED)

    def _say(self, page: Page, what: str, matters: bool = True) -> None:
        if matters:
            self.complaints.append(f"{page.url}: {what}")


LOUD = frozenset({"error", "warning"})


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def settled(page: Page) -> None:
    """Wait until the page's scripts have taken hold of it."""
    page.wait_for_function("() => window.htmx && document.readyState === 'complete'")


def crawl(
    context: BrowserContext,
    watch: Watch,
    start: str,
    look: Callable[[Page], None] = lambda page: None,
    also: Sequence[str] = (),
) -> list[str]:
    """Visit one page of every kind that links lead to from `start`, and `look` at each; `also`
    are visited whatever links to them.

    Returns the paths.
    """
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    watch.follow(page)
    seen: dict[str, str] = {}
    todo = deque([start, *also])
    while todo and len(seen) < MOST_PAGES:
        path = todo.popleft()
        if kind(path) in seen:
            continue
        seen[kind(path)] = path
        page.goto(watch.home + path, wait_until="load")
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if too_wide > 0:
            watch.complaints.append(f"{path}: {too_wide} px wider than the window")
        look(page)
        todo.extend(_links(page, path))
    page.close()
    return list(seen.values())


def kind(path: str) -> str:
    """Pages of one kind have one name, whichever row they show."""
    path = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", path)
    path = re.sub(r"\b(before|after|q|sort|version|candidate|open)=[^&]*", r"\1=", path)
    path = re.sub(r"/start/\w+/", "/start/NAME/", path)
    return re.sub(r"/rows/\d+", "/rows/N", path)


def _links(page: Page, here: str) -> list[str]:
    script = "all => all.map(a => a.getAttribute('href'))"
    found = page.eval_on_selector_all("a[href]:not([download])", script)
    whole = (here.partition("?")[0] + href if href.startswith("?") else href for href in found)
    pages = (href.partition("#")[0] for href in whole if href.startswith("/"))
    return [page for page in pages if not page.partition("?")[0].endswith(".json")]
