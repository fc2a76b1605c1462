"""Fetching prompts from the registry, with what was fetched kept for when it cannot be."""

from __future__ import annotations

import functools
import json
import re
from typing import Any, Callable, Mapping, NamedTuple, Sequence, Union
from urllib.parse import quote, urlencode

from stillhouse._cache import Cache, Entry, Fetched, ask, make_room
from stillhouse._http import Connection, Reply, Unreachable
from stillhouse._kept import Kept
from stillhouse._prompts import Answer, Prompt, as_answer, fallback_prompt
from stillhouse._snapshot import dump
from stillhouse.errors import MissingVariables, PromptError, PromptNotFound, StillhouseUnavailable

TTL_S = 60.0
NEVER_OLD = float("inf")
REF = re.compile(
    r"(?P<uri>prompts:/)?(?P<name>[^@:]+?)(?:@(?P<label>[^@:/]+)|:(?P<version>[1-9][0-9]{0,8}))?"
)
NUMBERED = re.compile(r"(?P<name>.+)/(?P<version>[1-9][0-9]{0,8})")
GO_ON = "Pass fallback= to go on without it."

Fallback = Union[str, Sequence[Mapping[str, Any]], None]


class Address(NamedTuple):
    """Which version is meant: by number, by label, or (neither) the one in production.

    `key` chooses among versions that share a label, such as a user's id.
    """

    name: str
    label: str | None
    version: int | None
    key: str | None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}:{self.version}"
        return f"{self.name}@{self.label}" if self.label else self.name

    def without_key(self) -> Address:
        return self._replace(key=None)

    def path(self) -> str:
        """The path and query of the server's API."""
        named = {"label": self.label, "version": self.version, "key": self.key}
        given = {name: value for name, value in named.items() if value is not None}
        query = urlencode(given, errors="replace")
        return _path(self.name) + (f"?{query}" if query else "")


class PromptCache:
    """Prompts by address. What was fetched once is served until the server says something else."""

    def __init__(self, connect: Callable[[], Connection], kept: Kept) -> None:
        self._connect = connect
        self._kept = kept
        self._last: dict[Address, Prompt] = {}  # of every key, for a key not seen yet
        self._cache: Cache[Address, Prompt] = Cache(self._fetch, group=Address.without_key)

    def get(self, address: Address, ttl: float, fallback: Fallback) -> Prompt:
        """The prompt; see `Client.get_prompt`."""
        if not (fallback is None or isinstance(fallback, (str, list, tuple))):
            raise ValueError("A fallback is a text or a list of messages.")
        ttl = ttl if address.version is None else NEVER_OLD
        spare = fallback is not None or address.without_key() in self._last
        try:
            return self._cache.look_up(address, ttl, spare=spare)[0]
        except PromptNotFound:
            if fallback is None:
                raise
        except StillhouseUnavailable:
            known = self._last_known(address)
            if known is not None:
                return known
            if fallback is None:
                raise
        return fallback_prompt(address.name, address.label, fallback, self._compile_there)

    def _fetch(self, address: Address, entry: Entry[Prompt] | None) -> Fetched[Prompt]:
        silent = f"The server did not answer for the prompt {address}. {GO_ON}"
        reply = ask(self._connect, address.path(), entry, unreachable=silent)
        if entry and reply.status == 304:
            return entry.value, entry.etag
        prompt = self._read(address, reply)
        self._remember(address, prompt)
        self._kept.write(_name_of(address), reply.body)
        return prompt, reply.headers.get("ETag")

    def _read(self, address: Address, reply: Reply) -> Prompt:
        if reply.status == 404:
            advice = "Check the name and the label, or pass fallback=."
            raise PromptNotFound(
                _error(reply).get("message") or f"There is no prompt {address}. {advice}"
            )
        if reply.status != 200:
            said = _error(reply).get("message") or GO_ON
            raise StillhouseUnavailable(
                f"The server answered HTTP {reply.status} for the prompt {address}. {said}"
            )
        prompt = self._prompt(reply.body)
        if prompt is None:
            raise StillhouseUnavailable(
                f"The server's answer for the prompt {address} makes no sense to this version of "
                f"the SDK. {GO_ON}"
            )
        return prompt

    def _prompt(self, body: bytes) -> Prompt | None:
        try:
            return Prompt(as_answer(body), self._compile_there)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def _last_known(self, address: Address) -> Prompt | None:
        """What another key got last, or what an earlier process kept."""
        known = self._last.get(address.without_key())
        if known is None:
            body = self._kept.read(_name_of(address))
            known = None if body is None else self._prompt(body)
        if known is not None:
            self._remember(address, known)
            self._cache.put_stale(address, known)
        return known

    def _remember(self, address: Address, prompt: Prompt) -> None:
        base = address.without_key()
        make_room(self._last, base)
        self._last[base] = prompt

    def _compile_there(self, answer: Answer, variables: Mapping[str, Any]) -> Any:
        """What the server makes of a version: a text or a list of messages."""
        name, version = str(answer["name"]), answer.get("version")
        try:
            reply = self._post(
                _path(name) + "/compile",
                dump({"version": version, "variables": variables}),
            )
        except Unreachable as error:
            raise StillhouseUnavailable(
                f"The server did not answer, which compiles the prompt {name} because jinja2 is "
                "not installed here. Install jinja2 beside the SDK."
            ) from error
        if reply.status == 200:
            return _compiled(reply.body)
        said = _error(reply).get("message") or f"The server answered HTTP {reply.status}."
        if _error(reply).get("code") == "missing_variables":
            taken = [str(each["name"]) for each in answer.get("variables") or []]
            raise MissingVariables(each for each in taken if each not in variables)
        raise (PromptError if 400 <= reply.status < 500 else StillhouseUnavailable)(said)

    def _post(self, path: str, body: bytes) -> Reply:
        connection = self._connect()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            return connection.request("POST", path, body=body, headers=headers)
        finally:
            connection.close()


@functools.lru_cache(maxsize=1_000)
def address_of(ref: str, label: str | None, version: int | None, key: str | None) -> Address:
    """Read `name`, `name@label`, `name:3`, `prompts:/name@label` or `prompts:/name/3`.

    Raises:
        ValueError: it is none of these, or says a label or version twice.
    """
    found = REF.fullmatch(ref)
    name, number = (found["name"], found["version"]) if found else ("", None)
    if found and found["uri"] and not found["label"] and not number:
        last = NUMBERED.fullmatch(name)
        name, number = (last["name"], last["version"]) if last else (name, None)
    if not name.strip("/"):
        raise ValueError("Write the prompt as name, name@label, name:3 or prompts:/name@label.")
    said = [each for each in (found and found["label"], number, label, version) if each is not None]
    if len(said) > 1:
        raise ValueError(f"Say one of label and version for {name}, and say it once.")
    label = (found and found["label"]) or label
    return Address(name, label or None, int(number) if number else version, key)


def _path(name: str) -> str:
    return "/api/v1/prompts/" + quote(name, safe="/", errors="replace")


def _name_of(address: Address) -> str:
    return json.dumps([address.name, address.label, address.version])


def _error(reply: Reply) -> dict[str, Any]:
    """An error's envelope: its code, and its message, a sentence."""
    try:
        said = json.loads(reply.body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


def _compiled(body: bytes) -> Any:
    try:
        answer = as_answer(body)
    except (ValueError, TypeError):
        answer = {}
    compiled = answer.get("text", answer.get("messages"))
    if not isinstance(compiled, (str, list)):
        raise StillhouseUnavailable(
            "The server's answer makes no sense to this version of the SDK."
        )
    return compiled
