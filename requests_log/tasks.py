"""How the background work of the log is done."""

from __future__ import annotations

from requests_log.bulk.actions import BULK, UNDO, perform_bulk, perform_undo
from requests_log.bulk.deleting import DELETE as DELETE
from requests_log.bulk.scoring import SCORE as SCORE
from requests_log.digest.again import REDERIVE, perform_rederive
from requests_log.importers.jobs import IMPORT_FILE
from requests_log.importers.run import perform_import
from requests_log.quarantine.actions import REPLAY_QUARANTINE, perform_replay
from requests_log.tagging import TAG as TAG

BULK.handler(perform_bulk)
UNDO.handler(perform_undo)
REPLAY_QUARANTINE.handler(perform_replay)
IMPORT_FILE.handler(perform_import)
REDERIVE.handler(perform_rederive)
