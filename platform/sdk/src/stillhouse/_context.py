"""What surrounds a call: the span it happens in, and the facts that were set around it.

Both live in `contextvars`, so asyncio tasks inherit them. A thread starts without; `carry` and
`ThreadPoolExecutor` take them along.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import functools
import zlib
from typing import Any, Callable, Iterator, Mapping, NamedTuple, TypedDict, TypeVar

from stillhouse._ids import new_span_id

T = TypeVar("T")


class PromptRef(TypedDict, total=False):
    """The prompt version a call was made from, and the values put into it."""

    name: str
    version: int
    variables: Mapping[str, object]


class Context(TypedDict, total=False):
    """What a call belongs to. `trace` holds trace_id, span_id and parent_id; `id` is a new_id()."""

    id: str
    tags: Mapping[str, object]
    prompt: PromptRef
    user: str
    session: str
    trace: Mapping[str, str]


class SpanRef(NamedTuple):
    """The span under way: its trace, itself, and whether the trace is kept or sampled out."""

    trace_id: str
    span_id: str
    kept: bool


current_span: contextvars.ContextVar[SpanRef | None] = contextvars.ContextVar(
    "stillhouse_span", default=None
)
current_facts: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar(
    "stillhouse_facts", default=None
)
_last_request: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "stillhouse_last_request", default=None
)


@contextlib.contextmanager
def context(
    *,
    tags: Mapping[str, object] | None = None,
    prompt: PromptRef | None = None,
    user: str | None = None,
    session: str | None = None,
) -> Iterator[None]:
    """Give every call and span inside these facts; inner blocks add to outer ones, tags by name."""
    before = current_facts.get()
    given = {"tags": tags, "prompt": prompt, "user": user, "session": session}
    current_facts.set(merged(before or {}, given))
    try:
        yield
    finally:
        current_facts.set(before)


def merged(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """`inner` over `outer`, where None says nothing and tags add up."""
    whole = {**outer, **{name: value for name, value in inner.items() if value is not None}}
    if outer.get("tags") and inner.get("tags"):
        whole["tags"] = {**outer["tags"], **inner["tags"]}
    return whole


def surroundings() -> Mapping[str, Any]:
    """The facts set by `context()` blocks around this line."""
    return current_facts.get() or {}


def trace_here() -> dict[str, str] | None:
    """Trace ids for a call made here: a child of the span under way, or None outside of one."""
    return child_of(current_span.get())


def child_of(span: SpanRef | None) -> dict[str, str] | None:
    """Trace ids for a call inside a span."""
    if span is None:
        return None
    return {"trace_id": span.trace_id, "span_id": new_span_id(), "parent_id": span.span_id}


def current_trace_id() -> str | None:
    """The id of the trace under way, for `score(trace_id=...)` later; None outside of spans."""
    span = current_span.get()
    return span.trace_id if span else None


def last_request_id() -> str | None:
    """The id of the call a wrapped client made last in this task or thread, for `feedback`."""
    return _last_request.get()


def remember_request(event_id: str) -> None:
    _last_request.set(event_id)


def is_kept(trace_id: str, rate: float) -> bool:
    """Whether a trace is in the sample: the same answer in every process that asks."""
    return rate >= 1.0 or zlib.crc32(trace_id.encode("utf-8", "replace")) < rate * 2**32


def carry(work: Callable[..., T]) -> Callable[..., T]:
    """`work`, to be run in another thread as if it ran here: inside this span and these facts."""
    here = contextvars.copy_context()

    @functools.wraps(work)
    def run(*args: Any, **kwargs: Any) -> T:
        return here.copy().run(
            work, *args, **kwargs
        )  # a copy: one context cannot run twice at once

    return run


class ThreadPoolExecutor(concurrent.futures.ThreadPoolExecutor):
    """The standard pool, whose work runs inside the span that submitted it."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(carry(fn), *args, **kwargs)
