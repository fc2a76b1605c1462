"""The HTTP side: routes, streaming, limits, and a calm end."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
from aiohttp import web

from finetunes.engine.manifest import ManifestFile, ModelEntry
from finetunes.engine.openai_shapes import (
    Call,
    ChatCall,
    Completion,
    TextCall,
    TextCompletion,
    read_chat,
    read_text,
)
from finetunes.engine.problems import EngineProblem, unauthorized
from finetunes.engine.prompting import Prompter, Prompters
from finetunes.engine.scheduler import Limits, Scheduler
from finetunes.engine.sequence import Finished, Sequence, Update
from finetunes.engine.text import TextWriter
from finetunes.engine.weights import Shelf

logger = logging.getLogger(__name__)

MAX_BODY = 8 * 2**20
INLINE_BODY = 16 * 1024
"""Bodies up to this size (bytes) are rendered on the event loop: a hop to a thread costs more."""

MODEL_HEADER = "x-stillhouse-model"
EVENT_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Engine:
    """Answers chat and text completions for the models of one `models.json`."""

    def __init__(
        self,
        manifest: ManifestFile,
        shelf: Shelf,
        *,
        limits: Limits | None = None,
        token: str = "",
    ) -> None:
        """With a `token`, calls must carry it as a bearer token; `/healthz` stays open."""
        self._manifest = manifest
        self._prompters = Prompters()
        self._scheduler = Scheduler(shelf, self._deliver, limits=limits)
        self._renderer = ThreadPoolExecutor(1, thread_name_prefix="rendering")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = 0
        self._idle = asyncio.Event()
        self._draining = False
        self._started = time.time()
        self._expected = f"Bearer {token}".encode() if token else b""

    def application(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(
            middlewares=[problems_as_envelopes, self._check_token, self._count_open],
            client_max_size=MAX_BODY,
        )
        app.router.add_post("/v1/chat/completions", self.chat_completions)
        app.router.add_post("/v1/chat/completions/render", self.render)
        app.router.add_post("/v1/completions", self.completions)
        app.router.add_get("/v1/models", self.list_models)
        app.router.add_get("/v1/models/{name:.+}", self.show_model)
        app.router.add_get("/healthz", self.health)
        app.router.add_get("/stats", self.stats)
        return app

    def start(self) -> None:
        """Begin decoding; call on the running loop that serves the application."""
        self._loop = asyncio.get_running_loop()
        self._idle.set()
        self._scheduler.start()

    @property
    def broken(self) -> bool:
        """Whether decoding has ended by an error, so that the process must end too."""
        return self._scheduler.broken

    async def drain(self, *, timeout: float) -> bool:
        """Refuse new calls and wait for the open ones; return whether decoding has ended.

        `timeout` is in seconds.
        """
        self._draining = True
        deadline = time.monotonic() + timeout
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            logger.warning("Some answers were not finished in time", extra={"open": self._open})
        self._renderer.shutdown(wait=False, cancel_futures=True)
        remaining = max(1.0, deadline - time.monotonic())
        return await asyncio.to_thread(self._scheduler.stop, timeout=remaining)

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = read_chat(_json(body), model=request.headers.get(MODEL_HEADER))
        return await self._answer(request, call, Completion, "chatcmpl", len(body))

    async def completions(self, request: web.Request) -> web.StreamResponse:
        """Go on with a prompt as it was typed; no template is applied."""
        body = await request.read()
        call = read_text(_json(body), model=request.headers.get(MODEL_HEADER))
        return await self._answer(request, call, TextCompletion, "cmpl", len(body))

    async def render(self, request: web.Request) -> web.Response:
        """The prompt that a chat call becomes, as the text to send to `/v1/completions`."""
        call = read_chat(_json(await request.read()), model=request.headers.get(MODEL_HEADER))
        entry = self._manifest.find(call.model)
        prompter = await self._prompter(entry)
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self._renderer, prompter.text, call.messages, call.tools)
        ids = await loop.run_in_executor(self._renderer, prompter.ids_of_text, text)
        return _json_response({"model": entry.id, "prompt": text, "prompt_tokens": len(ids)})

    async def _answer(
        self,
        request: web.Request,
        call: ChatCall | TextCall,
        shape: type[Completion],
        prefix: str,
        size: int,
    ) -> web.StreamResponse:
        """Render, decode and send; `size` is the body's, in bytes."""
        entry = self._manifest.find(call.model)
        prompter = await self._prompter(entry)
        prompt_ids = await self._prompt_ids(prompter, call, size)
        completion = shape(
            id=f"{prefix}-{uuid.uuid4().hex}",
            created=int(time.time()),
            model=entry.id,
            prompt_ids=prompt_ids,
            return_token_ids=call.return_token_ids,
        )
        answer = _Answer(call, prompter, prompt_ids)
        self._scheduler.submit(entry, answer.row)
        try:
            if call.stream:
                return await _stream(request, call, completion, answer)
            return _json_response(completion.answer(await answer.finished()))
        finally:
            answer.row.cancel()

    async def list_models(self, _request: web.Request) -> web.Response:
        models = [_model_card(entry) for entry in self._manifest.current().models]
        return _json_response({"object": "list", "data": models})

    async def show_model(self, request: web.Request) -> web.Response:
        return _json_response(_model_card(self._manifest.find(request.match_info["name"])))

    async def health(self, _request: web.Request) -> web.Response:
        return _json_response(
            {
                "status": "draining" if self._draining else "ok",
                "loaded": self._scheduler.shelf.loaded(),
                "models_problem": self._manifest.problem,
            }
        )

    async def stats(self, _request: web.Request) -> web.Response:
        uptime = round(time.time() - self._started, 3)
        return _json_response({"uptime_seconds": uptime, **self._scheduler.stats()})

    async def _prompter(self, entry: ModelEntry) -> Prompter:
        kept = self._prompters.kept(entry)
        if kept is not None:
            return kept
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._renderer, self._prompters.load, entry)

    async def _prompt_ids(
        self, prompter: Prompter, call: ChatCall | TextCall, size: int
    ) -> list[int]:
        if isinstance(call, TextCall):
            make = partial(prompter.ids_of_text, call.prompt)
        else:
            make = partial(prompter.ids, call.messages, call.tools)
        if size <= INLINE_BODY:
            return make()
        return await asyncio.get_running_loop().run_in_executor(self._renderer, make)

    def _deliver(self, updates: list[tuple[Sequence, Update]]) -> None:
        """Called by the decoding thread: let the loop tell the readers, all in one wake-up."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_tell, updates)

    @web.middleware
    async def _check_token(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        told = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        guarded = bool(self._expected) and request.path != "/healthz"
        if guarded and not hmac.compare_digest(told, self._expected):
            raise unauthorized()
        return await handler(request)

    @web.middleware
    async def _count_open(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._draining and request.method == "POST":
            raise EngineProblem(
                503,
                "engine_stopping",
                "This engine is stopping. Ask again; another one will answer.",
                retry_after=1,
            )
        self._open += 1
        self._idle.clear()
        try:
            return await handler(request)
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()


class _Answer:
    """One answer as the event loop sees it."""

    def __init__(self, call: Call, prompter: Prompter, prompt_ids: list[int]) -> None:
        self._updates: asyncio.Queue[Update] = asyncio.Queue()
        self.row = Sequence(
            prompt_ids,
            call.sampling(prompter.context_length - len(prompt_ids)),
            eos_ids=prompter.eos_ids,
            writer=TextWriter(prompter.tokenizer, stops=call.stops, streams=call.stream),
            listener=self._updates.put_nowait,
        )

    async def updates(self) -> AsyncIterator[str | Finished]:
        """What there is to tell, ending with the `Finished`."""
        while True:
            update = await self._updates.get()
            if isinstance(update, BaseException):
                raise update
            yield update
            if isinstance(update, Finished):
                return

    async def finished(self) -> Finished:
        """The whole answer at once."""
        said = ""
        async for update in self.updates():
            if isinstance(update, Finished):
                return Finished(said + update.text, update.token_ids, update.reason)
            said += update
        raise AssertionError("an answer ends with Finished")


async def _stream(
    request: web.Request, call: Call, completion: Completion, answer: _Answer
) -> web.StreamResponse:
    """Send the answer as server-sent events; the status waits for the first token."""
    response = web.StreamResponse(headers=EVENT_STREAM)
    try:
        async for update in answer.updates():
            opening = b""
            if not response.prepared:
                await response.prepare(request)
                opening = _event(completion.opening())
            await response.write(opening + _chunks(update, call, completion))
    except EngineProblem as problem:
        if not response.prepared:
            raise
        await response.write(_event(problem.envelope()))
    except ConnectionResetError:
        logger.info("A reader left in the middle of an answer")
    return response


def _chunks(update: str | Finished, call: Call, completion: Completion) -> bytes:
    if isinstance(update, str):
        return _event(completion.delta(update))
    text = _event(completion.delta(update.text)) if update.text else b""
    usage = _event(completion.usage_chunk(update)) if call.include_usage else b""
    return text + _event(completion.closing(update)) + usage + b"data: [DONE]\n\n"


def _tell(updates: list[tuple[Sequence, Update]]) -> None:
    for row, update in updates:
        row.listener(update)


@web.middleware
async def problems_as_envelopes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure leaves as OpenAI's error envelope."""
    try:
        return await handler(request)
    except EngineProblem as problem:
        return _problem_response(problem)
    except web.HTTPRequestEntityTooLarge:
        sentence = (
            f"The body is larger than {MAX_BODY // 2**20} MiB. Send fewer or shorter messages."
        )
        return _problem_response(EngineProblem(413, "request_too_large", sentence))
    except web.HTTPException as refusal:
        sentence = f"{request.method} {request.path} is not served here ({refusal.reason})."
        return _problem_response(EngineProblem(refusal.status, "not_served", sentence))
    except Exception:
        logger.exception("A call failed unexpectedly")
        sentence = "The engine failed at this call. Its log says why; ask again."
        return _problem_response(EngineProblem(500, "internal_error", sentence))


def _problem_response(problem: EngineProblem) -> web.Response:
    response = _json_response(problem.envelope(), status=problem.status)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _model_card(entry: ModelEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "object": "model",
        "created": 0,
        "owned_by": "stillhouse",
        "aliases": list(entry.aliases),
        "kind": entry.kind,
        "render_fingerprint": entry.fingerprint,
    }


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise EngineProblem(400, "invalid_json", f"The body is not JSON: {error}.") from error


def _json_response(value: object, *, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
