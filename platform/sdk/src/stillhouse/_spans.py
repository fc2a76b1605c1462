"""Spans: steps of a trace that are not LLM calls, by `with span(...)` or `@observe`."""

from __future__ import annotations

import contextlib
import functools
import inspect
import time
from typing import TYPE_CHECKING, Any, Callable, Generator, Iterator, Mapping, TypeVar, overload

from stillhouse._context import PromptRef, SpanRef, current_span, merged, surroundings
from stillhouse._ids import new_span_id, new_trace_id
from stillhouse._snapshot import marker
from stillhouse._wire import FROZEN

if TYPE_CHECKING:
    from stillhouse.client import Client

Function = TypeVar("Function", bound=Callable[..., Any])

KINDS = ("span", "agent", "tool", "chain", "retriever", "embedding", "guardrail")
MOST_YIELDS = 10_000  # of a generator's values are kept; the rest are counted


class Span:
    """A step under way. `set` adds to it; entering makes it the parent of what happens inside."""

    def __init__(self, client: Client, name: str, kind: str, facts: Mapping[str, Any]) -> None:
        if kind not in KINDS:
            raise ValueError(f"The kind of a span is one of {', '.join(KINDS)}.")
        self._client = client
        self._facts = {"type": "span", "name": name, "kind": kind, **facts}
        self._ref: SpanRef | None = None
        self._parent: SpanRef | None = None
        self._clock = 0.0

    @property
    def trace_id(self) -> str | None:
        return self._ref.trace_id if self._ref else None

    @property
    def span_id(self) -> str | None:
        return self._ref.span_id if self._ref else None

    def set(
        self,
        *,
        input: object = None,  # noqa: A002 - the field's name on the wire
        output: object = None,
        attributes: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        name: str | None = None,
    ) -> Span:
        """Add what is known by now; attributes and tags add up, the rest replaces."""
        self._facts = merged(self._facts, {"name": name, "tags": tags})
        self._keep("input", input)
        self._keep("output", output)
        if attributes:
            self._facts["attributes"] = {**(self._facts.get("attributes") or {}), **attributes}
        return self

    def __enter__(self) -> Span:
        self.begin()
        current_span.set(self._ref)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        current_span.set(self._parent)
        self.end(error)

    def begin(self) -> None:
        """Take a place in the trace without becoming the parent of what follows."""
        self._parent = parent = current_span.get()
        if parent is None:
            trace_id = new_trace_id()
            self._ref = SpanRef(trace_id, new_span_id(), self._client.keeps(trace_id))
        else:
            self._ref = SpanRef(parent.trace_id, new_span_id(), parent.kept)
        self._facts = merged(surroundings(), self._facts)
        self._keep("input", self._facts.pop("input", None))
        self._facts["started_at"] = time.time()
        self._clock = time.perf_counter()

    def _keep(self, name: str, value: object) -> None:
        """Copy a content now, because the host may change it before the span ends."""
        blob = self._client.frozen(value) if self._ref is None or self._ref.kept else None
        if blob is not None:
            self._facts[FROZEN] = {**self._facts.get(FROZEN, {}), name: blob}

    def end(self, error: BaseException | None = None) -> None:
        """Log the span; it failed if there is an error that is more than an early end."""
        if self._ref is None:
            return
        facts = dict(self._facts)
        facts["duration_ms"] = round((time.perf_counter() - self._clock) * 1000, 3)
        facts["trace"] = {"trace_id": self._ref.trace_id, "span_id": self._ref.span_id}
        if self._parent is not None:
            facts["trace"]["parent_id"] = self._parent.span_id
        failed = error is not None and not isinstance(error, GeneratorExit)
        facts["status"] = "error" if failed else "ok"
        if failed:
            facts["error"] = {"type": type(error).__name__, "message": _text(error)}
        self._client.emit(facts, kept=self._ref.kept)


def span(
    name: str,
    *,
    kind: str = "span",
    input: object = None,  # noqa: A002 - the field's name on the wire
    attributes: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    prompt: PromptRef | None = None,
    user: str | None = None,
    session: str | None = None,
    client: Client | None = None,
) -> Span:
    """A step of a trace, to be used in a `with` block (also in async code).

    Raises:
        ValueError: `kind` is not one of `stillhouse.KINDS`.
    """
    facts = {"input": input, "attributes": attributes, "tags": tags, "prompt": prompt}
    facts.update(user=user, session=session)
    known = {key: value for key, value in facts.items() if value is not None}
    return Span(client or _default_client(), name, kind, known)


@overload
def observe(function: Function) -> Function: ...


@overload
def observe(
    function: None = None,
    *,
    name: str | None = None,
    kind: str = "span",
    capture_input: bool = True,
    capture_output: bool = True,
    tags: Mapping[str, object] | None = None,
    prompt: PromptRef | None = None,
    user: str | None = None,
    session: str | None = None,
    client: Client | None = None,
) -> Callable[[Function], Function]: ...


def observe(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    kind: str = "span",
    capture_input: bool = True,
    capture_output: bool = True,
    client: Client | None = None,
    **facts: Any,
) -> Any:
    """Log each run of a function as a span: its arguments, result or exception, and duration.

    For functions, coroutines, generators and async generators; what they call inside is their
    child. Of a generator, the values are the output (texts put together), and the span ends with
    it. The function's results and exceptions stay as they are.
    """

    def decorate(wrapped: Callable[..., Any]) -> Callable[..., Any]:
        observed = _Observed(wrapped, name, kind, capture_input, capture_output, client, facts)
        if inspect.isasyncgenfunction(wrapped):
            return observed.async_generator()
        if inspect.isgeneratorfunction(wrapped):
            return observed.generator()
        return observed.coroutine() if inspect.iscoroutinefunction(wrapped) else observed.function()

    return decorate if function is None else decorate(function)


class _Observed:
    """One decorated function and what to log of it."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None,
        kind: str,
        capture_input: bool,
        capture_output: bool,
        client: Client | None,
        facts: Mapping[str, Any],
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"The kind of a span is one of {', '.join(KINDS)}.")
        self._function = function
        self._name = name or getattr(function, "__qualname__", None) or repr(function)
        self._kind = kind
        self._signature = _signature(function) if capture_input else None
        self._capture_output = capture_output
        self._client = client
        self._known = {key: value for key, value in facts.items() if value is not None}

    def function(self) -> Callable[..., Any]:
        @functools.wraps(self._function)
        def observed(*args: Any, **kwargs: Any) -> Any:
            with self._span(args, kwargs) as step:
                result = self._function(*args, **kwargs)
                self._keep(step, result)
            return result

        return observed

    def coroutine(self) -> Callable[..., Any]:
        @functools.wraps(self._function)
        async def observed(*args: Any, **kwargs: Any) -> Any:
            with self._span(args, kwargs) as step:
                result = await self._function(*args, **kwargs)
                self._keep(step, result)
            return result

        return observed

    def generator(self) -> Callable[..., Any]:
        @functools.wraps(self._function)
        def observed(*args: Any, **kwargs: Any) -> Any:
            inner = self._function(*args, **kwargs)
            run = _Run(self._span(args, kwargs))
            advance: Callable[[], Any] = functools.partial(inner.send, None)
            with contextlib.closing(inner), run.to_its_end():
                while True:
                    try:
                        with run.step():
                            value = advance()
                    except StopIteration as stop:
                        self._finish(run, stop.value)
                        return stop.value
                    run.saw(value)
                    advance = yield from _reaction(inner.send, inner.throw, value)

        return observed

    def async_generator(self) -> Callable[..., Any]:
        @functools.wraps(self._function)
        async def observed(*args: Any, **kwargs: Any) -> Any:
            inner = self._function(*args, **kwargs)
            run = _Run(self._span(args, kwargs))
            advance = functools.partial(inner.asend, None)
            with run.to_its_end():
                try:
                    while True:
                        try:
                            with run.step():
                                value = await advance()
                        except StopAsyncIteration:
                            self._finish(run, None)
                            return
                        run.saw(value)
                        try:
                            advance = functools.partial(inner.asend, (yield value))
                        except GeneratorExit:
                            raise
                        except BaseException as thrown:
                            advance = functools.partial(inner.athrow, thrown)
                finally:
                    await inner.aclose()

        return observed

    def _span(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
        known = dict(self._known)
        if self._signature is not None:
            known["input"] = _arguments(self._signature, args, kwargs)
        return Span(self._client or _default_client(), self._name, self._kind, known)

    def _keep(self, step: Span, result: Any) -> None:
        if self._capture_output and result is not None:
            step.set(output=result)

    def _finish(self, run: _Run, returned: Any) -> None:
        if self._capture_output:
            run.span.set(output=run.output())
            if returned is not None:
                run.span.set(attributes={"returned": returned})


def _reaction(
    send: Callable[[Any], Any], throw: Callable[[Any], Any], value: Any
) -> Generator[Any, Any, Callable[[], Any]]:
    """Hand a value out; what the consumer answers with decides the inner generator's next step."""
    try:
        answer = yield value
    except GeneratorExit:
        raise
    except BaseException as thrown:
        return functools.partial(throw, thrown)
    return functools.partial(send, answer)


class _Run:
    """A generator's span: current only while the generator's own code runs."""

    def __init__(self, step: Span) -> None:
        self.span = step
        self._inside: SpanRef | None = None
        self._values: list[Any] = []
        self._more = 0

    @contextlib.contextmanager
    def to_its_end(self) -> Iterator[None]:
        self.span.begin()
        self._inside = self.span._ref
        try:
            yield
        except BaseException as error:
            self.span.end(error)
            raise
        self.span.end()

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        outside = current_span.get()
        current_span.set(self._inside)
        try:
            yield
        finally:
            self._inside = current_span.get()  # the code may have opened a span across its yield
            current_span.set(outside)

    def saw(self, value: Any) -> None:
        if len(self._values) < MOST_YIELDS:
            self._values.append(value)
        else:
            self._more += 1

    def output(self) -> object:
        if self._values and all(isinstance(value, str) for value in self._values):
            return "".join(self._values) + (f"…[{self._more} more]" if self._more else "")
        return [*self._values, marker("more", values=self._more)] if self._more else self._values


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return None


def _arguments(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    try:
        bound = signature.bind(*args, **kwargs).arguments
    except TypeError:  # the call will fail by itself, with its own message
        return {"args": list(args), **kwargs}
    return {name: value for name, value in bound.items() if name not in ("self", "cls")}


def _text(error: BaseException | None) -> str:
    try:
        return str(error)[:4000]
    except Exception:
        return ""


def _default_client() -> Client:
    from stillhouse.client import default_client

    return default_client()
