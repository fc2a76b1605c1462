"""The worker's thread that makes digests as requests arrive and keeps the partitions made."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from django.db import connection
from django.utils import timezone

from requests_log import partitions
from requests_log.bulk.actions import expire
from requests_log.digest.run import digest_and_seal
from requests_log.textindex.sealing import Renewal

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
TROUBLE_SECONDS = 5.0
UPKEEP_SECONDS = 600.0
STOP_SECONDS = 10.0


class DigestLoop:
    """Digests until `stop`; a kill at any moment loses nothing, and no failure ends it.

    `digest` makes some digests and returns how many; with 0 there is nothing to do for now.
    """

    def __init__(self, digest: Callable[[], int] = digest_and_seal) -> None:
        self._digest = digest
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="digest")
        self._next_upkeep = time.monotonic()
        self._renewal = Renewal()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                self._keep_up()
                pause = 0.0 if self._digest() else IDLE_SECONDS
            except Exception:  # the database's, the built-in server's, or a mistake of ours
                logger.warning("Digests cannot be made now; trying again", exc_info=True)
                _disconnect()
                pause = TROUBLE_SECONDS
        _disconnect()

    def _keep_up(self) -> None:
        """Make coming weeks' partitions, final what cannot be undone, and text segments anew."""
        if time.monotonic() < self._next_upkeep:
            return
        self._next_upkeep = time.monotonic() + UPKEEP_SECONDS
        try:
            made = partitions.make_weeks(at=timezone.now()) + partitions.sweep_net()
        except Exception:
            logger.warning("Partitions could not be made now", exc_info=True)
            _disconnect()
            return
        if made:
            logger.info("Made the partitions of %d weeks", made)
        expired = expire(at=timezone.now())
        if expired:
            logger.info("Made %d bulk actions final", expired)
        renewed = self._renewal.run()
        if renewed:
            logger.info("Made %d segments of the text index anew", renewed)


def _disconnect() -> None:
    """Let go of the connection, however broken it is; the next query makes a new one."""
    with suppress(Exception):
        connection.close()
