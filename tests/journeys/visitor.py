"""Somebody with a browser but no patience: pages and forms over plain HTTP."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
PASSWORD = "twelve drummers drumming"


class Visitor:
    """Keeps cookies; sends a form with the token that its page carries."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def read(self, path: str) -> str:
        with self._opener.open(self.url + path, timeout=60) as answer:
            return str(answer.read().decode())

    def send(self, path: str, **fields: str) -> str:
        """Fill in the form at `path`; returns the page it leads to."""
        found = TOKEN.search(self.read(path))
        assert found is not None, f"{path} holds no form"
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1], **fields}).encode()
        request = urllib.request.Request(self.url + path, data=body)  # noqa: S310 - ours too
        with self._opener.open(request, timeout=60) as answer:
            return str(answer.read().decode())

    def set_up(self, *, project: str) -> None:
        self.send(
            "/setup/",
            name="Ada Lovelace",
            email="ada@example.com",
            password=PASSWORD,
            project=project,
        )
