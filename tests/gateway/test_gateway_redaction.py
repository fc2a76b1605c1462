"""What the gateway logs is redacted; what it passes on is not."""

from __future__ import annotations

import json

from django.utils import timezone

from requests_log.redaction.actions import save_policy
from tests.gateway.conftest import World
from tests.gateway.upstream import chunk, sse, streamed

PARTS = ["write to ann", "@exa", "mple.org", " now"]
BODY = json.dumps(
    {
        "model": "gpt-test",
        "stream": True,
        "messages": [{"role": "user", "content": "I am bob@example.org"}],
    }
).encode()


def test_a_stream_is_passed_on_and_its_assembled_answer_redacted(world: World) -> None:
    rules = {"detectors": {"email": "label"}}
    save_policy(
        world.project, document=rules, enabled=True, note="", by=None, at=timezone.now()
    )  # commits, and this process forgets what it knew
    whole = sse(
        *(chunk({"content": part}) for part in PARTS), chunk({}, finish_reason="stop"), "[DONE]"
    )
    world.upstream.answer = streamed([whole])

    answer = world.post(BODY)

    assert b"@exa" in answer.content
    assert b"bob@example.org" in world.upstream.last.body
    (logged,) = world.logged()
    assert logged.redaction == 1
    assert b'"I am [EMAIL]"' in world.request_of(logged.id)
    response = world.response_of(logged.id) or b""
    assert b"write to [EMAIL] now" in response
    assert b"example.org" not in response
