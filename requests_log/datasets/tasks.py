"""How the background work of datasets is done: the log's bulk jobs do it by these kinds."""

from __future__ import annotations

from requests_log.datasets.corrected import perform_taking
from requests_log.datasets.erasure.actions import perform_erasure
from requests_log.datasets.export.pushing import PUSH_TO_HUB, perform_push
from requests_log.datasets.hygiene.tasks import check_dataset, fix_examples
from requests_log.datasets.imports.jobs import IMPORT_ROWS, PREPARE
from requests_log.datasets.imports.preparing import prepare
from requests_log.datasets.imports.run import perform_import
from requests_log.datasets.picking import ADD_TO_DATASET

IMPORT_ROWS.handler(perform_import)
PREPARE.handler(prepare)

__all__ = [
    "ADD_TO_DATASET",
    "check_dataset",
    "fix_examples",
    "perform_erasure",
    "perform_taking",
]

PUSH_TO_HUB.handler(perform_push)
