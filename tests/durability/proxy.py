"""A TCP proxy between the clients and the web process that can break connections.

It runs on an event loop in a thread of its own; the other methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress

CHUNK = 1 << 16
NO_LINGER = struct.pack("ii", 1, 0)
"""Closing a socket with this sends a reset."""


class Proxy:
    """Forwards bytes both ways until told to break things."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._answers_to_cut = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._ready = threading.Event()
        self.url = ""

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(60)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def reset_all(self) -> None:
        """Break every connection."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def cut_answers(self, count: int) -> None:
        """Break as many connections when the server's answer comes, instead of passing it on."""
        self._answers_to_cut = count

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        host, port = listener.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self._ready.set()
        self._loop.run_forever()
        listener.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            self._reset(writer)
            return
        forth = asyncio.create_task(_forward(reader, there[1]))
        with suppress(OSError):
            await self._answer(there[0], writer)
        forth.cancel()
        there[1].transport.abort()
        self._open.discard(writer)
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            if self._answers_to_cut > 0:
                self._answers_to_cut -= 1
                self._reset(writer)
                return
            writer.write(chunk)
            await writer.drain()

    def _reset_all(self) -> None:
        for writer in list(self._open):
            self._reset(writer)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        peer = writer.get_extra_info("socket")
        with suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        writer.transport.abort()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()
