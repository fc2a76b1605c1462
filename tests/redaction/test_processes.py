"""A version saved in one process counts in every other one within seconds."""

from __future__ import annotations

import time

import pytest

from requests_log.models import LoggedRequest
from requests_log.redaction.policies import FRESH_SECONDS
from tests.factories import make_api_key
from tests.redaction.conftest import make_policy
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import make_event
from tests.requests_log.server import ServerProcess
from workbench.core.models import Project

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db")]
GIVE_UP = 120.0


def test_another_process_notices_by_itself(project: Project) -> None:
    with ServerProcess() as server:
        sender = Sender(server.url, project, make_api_key(project)[1])
        sender.send(make_event(user="ann@x.example"))

        make_policy(project)

        give_up = time.monotonic() + GIVE_UP
        while LoggedRequest.objects.in_project(project).newest_first()[0].redaction == 0:
            assert time.monotonic() < give_up, "the other process never noticed"
            sender.send(make_event(user="ann@x.example"))
    users = LoggedRequest.objects.in_project(project).newest_first()
    assert [users[0].end_user, users.reverse()[0].end_user] == ["[EMAIL]", "ann@x.example"]


def test_it_is_promised_within_five_seconds() -> None:
    assert FRESH_SECONDS <= 5
