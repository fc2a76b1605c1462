"""`python -P -m finetunes.engine ENGINE_DIR`: serve the models of ENGINE_DIR/models.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

# Before any Hugging Face import: nothing is fetched and nothing is reported.
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

GRACE_SECONDS = 10.0
"""How long answers in the making may take after SIGTERM."""

SWITCH_SECONDS = 0.0005
"""Python's thread switch interval. Torch lets go of the interpreter at every operation, and at
the default 5 ms each of these can wait that long for the event loop."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = _options(arguments)
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(name)s %(message)s")
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=_new_loop) as loop:
        ended, broken = loop.run(serve(options))
    code = 1 if broken else 0
    if not ended:
        # A thread inside torch cannot be interrupted, and would crash a normal exit.
        logging.shutdown()
        os._exit(code)
    return code


async def serve(options: argparse.Namespace) -> tuple[bool, bool]:
    """Listen, announce, wait for the signal, drain.

    Returns whether all threads have ended, and whether decoding ended by an error.
    """
    from aiohttp import web

    from finetunes.engine.manifest import ManifestFile
    from finetunes.engine.scheduler import Limits
    from finetunes.engine.server import Engine
    from finetunes.engine.weights import GIB, Shelf

    budget = int(options.memory_gib * GIB) if options.memory_gib else None
    shelf = Shelf(budget=budget, device=options.device)
    limits = Limits(max_rows=options.max_batch, max_waiting=options.max_waiting)
    engine = Engine(
        ManifestFile(options.engine_dir / "models.json"),
        shelf,
        limits=limits,
        token=os.environ.pop("ENGINE_TOKEN", ""),
    )
    runner = web.AppRunner(
        engine.application(), access_log=None, handler_cancellation=True, shutdown_timeout=1
    )
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port, backlog=1024)
    stop = _stop_signal()
    await site.start()
    engine.start()
    notice = options.engine_dir / "engine.json"
    announce(notice, runner.addresses[0])
    await stop.wait()
    notice.unlink(missing_ok=True)
    await site.stop()
    ended = await engine.drain(timeout=GRACE_SECONDS)
    await runner.cleanup()
    return ended, engine.broken


def announce(path: Path, address: tuple[object, ...]) -> None:
    """Write where the engine listens, so that a reader sees all of it or nothing."""
    host, port = str(address[0]), address[1]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    notice = {"url": url, "pid": os.getpid(), "started_at": time.time()}
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(notice), encoding="utf-8")
    draft.replace(path)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # it does not exist for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m finetunes.engine", description=__doc__)
    parser.add_argument("engine_dir", type=Path, help="directory with models.json")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads of torch; 0: its own choice"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    parser.add_argument("--memory-gib", type=float, help="room for weights; default: half of all")
    parser.add_argument("--max-batch", type=int, default=64, help="rows decoded together")
    parser.add_argument("--max-waiting", type=int, default=4096, help="rows in line before 503")
    parser.add_argument("--log-level", default="info")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
