"""Logging through the public `post` of an OpenAI or Anthropic client.

`wrap` copies the client by its own `with_options()` and gives that copy a logging `post`, which is
what the client's resources send every request through. So the payload is logged as it is sent, for
`create`, `parse`, `stream` and whatever else ends in one of the known endpoints. The original is
untouched, nothing global is patched, and everything else of the copy, its type included, is the
client's own.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import Any, Callable, Mapping, TypeVar
from urllib.parse import urlsplit

from stillhouse._assembly import SHAPES
from stillhouse._call import Call
from stillhouse._context import (
    Context,
    PromptRef,
    merged,
    remember_request,
    surroundings,
    trace_here,
)
from stillhouse._ids import new_id, new_span_id
from stillhouse._marks import prompt_in, unmarked
from stillhouse._snapshot import snapshot
from stillhouse._streams import AsyncStream, SyncStream
from stillhouse._wire import FROZEN, model_json
from stillhouse.client import Client, default_client

OPERATIONS = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/embeddings": "embedding",
    "/completions": "completion",
    "/v1/messages": "chat",
}
# Where a call may be given `stillhouse={...}`.
RESOURCES = (
    "chat.completions",
    "responses",
    "embeddings",
    "completions",
    "beta.chat.completions",
    "messages",
    "beta.messages",
)
METHODS = ("create", "parse", "stream")
BAG = "x-stillhouse-context"  # a header that stands for `stillhouse={...}` and is never sent
MOST_BAGS = 10_000
LEFT_OUT = {"NotGiven", "Omit"}  # the clients' marks for "argument not given"

ClientT = TypeVar("ClientT")


def wrap(
    provider_client: ClientT,
    *,
    client: Client | None = None,
    provider: str | None = None,
    tags: Mapping[str, object] | None = None,
    prompt: PromptRef | None = None,
    user: str | None = None,
    session: str | None = None,
) -> ClientT:
    """A copy of an OpenAI or Anthropic client (sync or async) that logs its calls.

    The keywords are defaults for every call; one call adds to them or overrides them with
    `create(..., stillhouse={"tags": {...}, "prompt": {...}, "user": ..., "session": ...})`, which
    is removed before the request is made. Logged are chat completions, responses, embeddings,
    legacy completions and messages. Streams are logged when they end or are left. Results and
    exceptions are those of the client, unchanged. `client` defaults to `default_client()`. Wrapping
    twice logs once.

    Raises:
        TypeError: the object is not shaped like an OpenAI or Anthropic client.
    """
    given = {"tags": tags, "prompt": prompt, "user": user, "session": session}
    original: Any = provider_client
    if not (callable(getattr(original, "post", None)) and hasattr(original, "with_options")):
        raise TypeError("wrap() takes an OpenAI or Anthropic client, such as OpenAI().")
    recorder = Recorder(client or default_client(), provider, merged({}, given))
    return recorder.install(type(original).with_options(original))  # type: ignore[no-any-return]


class Recorder:
    """Makes clients log."""

    def __init__(self, client: Client, provider: str | None, defaults: Mapping[str, Any]) -> None:
        self._client = client
        self._provider = provider
        self._defaults = defaults

    def install(self, copy: Any) -> Any:
        """Give a fresh copy of a client a logging `post`, and let its own copies have it too."""
        copy.post = self._logging(copy.post, self._provider or _provider(copy))
        for path in RESOURCES:
            _accept_bag(_resource(copy, path), copy.post)
        plain_copy = type(copy).with_options

        @functools.wraps(plain_copy)
        def with_options(*args: Any, **kwargs: Any) -> Any:
            return self.install(plain_copy(copy, *args, **kwargs))

        copy.with_options = copy.copy = with_options
        return copy

    def _logging(self, post: Callable[..., Any], provider: str) -> Callable[..., Any]:
        begin = functools.partial(self._begin, provider)

        @functools.wraps(post)
        def logged_post(path: str, **kwargs: Any) -> Any:
            bag = _bags.take(kwargs)
            call = begin(path, bag, kwargs)
            if call is None:
                return post(path, **kwargs)
            with call.watching():
                result = post(path, **kwargs)
            return _followed(call, result, kwargs)

        @functools.wraps(post)
        async def logged_async_post(path: str, **kwargs: Any) -> Any:
            bag = _bags.take(kwargs)
            call = begin(path, bag, kwargs)
            if call is None:
                return await post(path, **kwargs)
            with call.watching():
                result = await post(path, **kwargs)
            return _followed(call, result, kwargs)

        return logged_async_post if inspect.iscoroutinefunction(post) else logged_post

    def _begin(self, provider: str, path: str, bag: Context, kwargs: dict[str, Any]) -> Call | None:
        endpoint = str(path).partition("?")[0]
        if endpoint not in OPERATIONS or not self._client._enabled:
            return None
        call: Call | None = self._client._quietly(self._call, provider, endpoint, bag, kwargs)
        return call

    def _call(
        self, provider: str, endpoint: str, bag: Context, kwargs: dict[str, Any]
    ) -> Call | None:
        body = _payload(kwargs)
        made_from = prompt_in(body)
        event = merged(merged(self._defaults, surroundings()), {"prompt": made_from, **bag})
        event["trace"] = trace = event.get("trace") or trace_here()
        event["id"] = event_id = event.get("id") or new_id()
        remember_request(event_id)
        if not self._client.keeps((trace or {}).get("trace_id") or event_id):
            self._client._tally.add("sampled_out")
            return None
        event.update(type="request", operation=OPERATIONS[endpoint], model=body.get("model"))
        event["provider"] = "anthropic" if endpoint == "/v1/messages" else provider
        event[FROZEN] = {"request": snapshot(unmarked(body) if made_from else body)}
        call = Call(self._client, event, SHAPES[endpoint]() if endpoint in SHAPES else None)
        _catch_before_parsing(kwargs, call)
        return call


def _followed(call: Call, result: Any, kwargs: Mapping[str, Any]) -> Any:
    """The client gave its result: log it, or follow it if it is a stream."""
    for mark, proxy in (("__next__", SyncStream), ("__anext__", AsyncStream)):
        if hasattr(type(result), mark):
            call.follow()
            _notice_close(getattr(result, "response", None), call)
            return proxy(result, call)
    call._client._quietly(lambda: call.answered(_response_of(result)))
    status = getattr(result, "status_code", 200)
    call.returned(status if isinstance(status, int) else 200)
    return result


def _notice_close(response: Any, call: Call) -> None:
    """The `.stream()` helpers close the response they share with the stream, not the stream."""
    for name in ("close", "aclose"):
        close = getattr(response, name, None)
        if callable(close):
            with contextlib.suppress(Exception):  # another HTTP library's object may not allow it
                setattr(response, name, _after(call.finish_early, close))


def _after(first: Callable[[], None], then: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(then)
    def both(*args: Any, **kwargs: Any) -> Any:
        first()
        return then(*args, **kwargs)

    return both


def _catch_before_parsing(kwargs: dict[str, Any], call: Call) -> None:
    """`parse` makes the caller's types of the answer, or fails to: keep what the provider said."""
    options = kwargs.get("options") or {}
    parser = options.get("post_parser")
    if not callable(parser):
        return

    def parse(raw: Any) -> Any:
        call._client._quietly(lambda: call.answered(model_json(raw)))  # the parser may change it
        return parser(raw)

    kwargs["options"] = {**options, "post_parser": parse}


def _accept_bag(resource: Any, post: Callable[..., Any]) -> None:
    if resource is None:
        return
    if getattr(resource, "_post", post) is not post:  # older clients make their resources at once
        resource._post = post
    for name in METHODS:
        method = getattr(resource, name, None)
        if callable(method):
            setattr(resource, name, _with_bag(method))


def _with_bag(method: Callable[..., Any]) -> Callable[..., Any]:
    def put(kwargs: dict[str, Any], bag: Context | None) -> dict[str, Any]:
        if not bag:
            return kwargs
        headers = {**(kwargs.get("extra_headers") or {}), BAG: _bags.put(bag)}
        return {**kwargs, "extra_headers": headers}

    if inspect.iscoroutinefunction(inspect.unwrap(method)):

        @functools.wraps(method)
        async def with_bag(*args: Any, stillhouse: Context | None = None, **kwargs: Any) -> Any:
            return await method(*args, **put(kwargs, stillhouse))
    else:

        @functools.wraps(method)
        def with_bag(*args: Any, stillhouse: Context | None = None, **kwargs: Any) -> Any:
            return method(*args, **put(kwargs, stillhouse))

    return with_bag


class _Bags:
    """The contexts given to calls that are on their way to `post`, by the text of a header.

    A client may rebuild its headers from bytes, so a header cannot carry the context itself.
    """

    def __init__(self) -> None:
        self._held: dict[str, Context] = {}

    def put(self, context: Context) -> str:
        token = new_span_id()
        while len(self._held) >= MOST_BAGS:  # calls that failed before their request was made
            self._held.pop(next(iter(self._held), ""), None)
        self._held[token] = context
        return token

    def take(self, kwargs: dict[str, Any]) -> Context:
        """The call's context; its header is taken out of those that go to the provider."""
        options = kwargs.get("options") or {}
        headers = options.get("headers") or {}
        mine = [name for name in headers if str(name).lower() == BAG]
        if not mine:
            return {}
        rest = {name: value for name, value in headers.items() if name not in mine}
        kwargs["options"] = {**options, "headers": rest}
        return self._held.pop(str(headers[mine[0]]), {})


_bags = _Bags()


def _payload(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body the client sends, `extra_body` merged in."""
    body, extra = kwargs.get("body"), (kwargs.get("options") or {}).get("extra_json")
    whole = {**(body if isinstance(body, Mapping) else {}), **(extra or {})}
    return {key: value for key, value in whole.items() if type(value).__name__ not in LEFT_OUT}


def _response_of(result: Any) -> object:
    """An answer as it is; of a raw response the provider's own bytes, if they were read."""
    if hasattr(result, "model_dump_json"):
        return model_json(result)
    holder: Any
    for holder in (result, getattr(result, "http_response", None)):
        try:
            content = holder.content
        except Exception:  # noqa: S112 - a streamed raw response: its body belongs to the host
            continue
        if isinstance(content, bytes):
            return content
    return None


def _resource(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name, None)
    return client


def _provider(client: Any) -> str:
    host = urlsplit(str(getattr(client, "base_url", ""))).hostname or "unknown"
    named = {"api.openai.com": "openai", "api.anthropic.com": "anthropic"}
    return "azure" if host.endswith(".openai.azure.com") else named.get(host, host)
