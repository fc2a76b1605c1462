"""The writer, a process of its own: `python -m tests.durability.writer FOLDER URL KEY SEED`.

SIGTERM makes it send once more what it does not know, then end.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from tests.durability.clients import Client, GatewayClient, IngestClient, SdkClient, Target
from tests.durability.records import Notes

INGEST_CLIENTS = 6


def main(folder: str, url: str, key: str, seed: str) -> None:
    logging.getLogger("stillhouse").addHandler(logging.NullHandler())
    target, notes, stopping = Target(url, key), Notes(Path(folder)), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    clients: list[Client] = [
        IngestClient(f"{seed}-ingest-{number}", target, notes, stopping)
        for number in range(INGEST_CLIENTS)
    ]
    clients.append(GatewayClient(f"{seed}-gateway", target, notes, stopping))
    clients.append(SdkClient(f"{seed}-sdk", target, notes, stopping))
    for client in clients:
        client.start()
    for client in clients:
        client.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
