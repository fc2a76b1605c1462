"""Calls go on when the log cannot be written, and nothing is lost meanwhile."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from requests_log import batcher
from requests_log.calls import Call
from requests_log.lanes import Lane
from requests_log.models import DroppedByClient
from tests.gateway.conftest import World, wait_until
from tests.gateway.upstream import STREAM, streamed
from workbench.core.hotpool import open_pool
from workbench.core.ids import uuid7
from workbench.gateway import logbook, spool
from workbench.gateway.asgi import Gateway
from workbench.gateway.spool import Spool, SpoolFull, claimed, line_of, read_calls, spool_state

BODY = b'{"model":"gpt-test","messages":[]}'


@pytest.fixture
def store_away(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The batcher says, as it does without Postgres, that nothing can be stored."""

    def away() -> batcher.Batcher:
        raise batcher.StoreUnavailable("The database is away.")

    with monkeypatch.context() as patch:
        patch.setattr(logbook, "RETRY_SECONDS", 0.1)
        patch.setattr(batcher, "shared", away)
        yield patch


def test_a_call_succeeds_while_the_log_is_away_and_is_logged_later(
    world: World, gateway: Gateway, store_away: pytest.MonkeyPatch
) -> None:
    before = gateway.logbook.spooled
    world.upstream.answer = streamed([STREAM])

    answer = world.post(BODY)
    wait_until(lambda: gateway.logbook.spooled > before)
    assert answer.content == STREAM
    store_away.undo()

    (logged,) = world.logged()
    assert str(logged.id) == answer.headers["x-stillhouse-request-id"]
    assert world.request_of(logged.id) == BODY


def test_the_call_is_in_the_log_when_its_answer_has_ended(world: World) -> None:
    for _ in range(5):
        world.post(BODY)

    assert len(world.logged(5)) == 5


def make_call(**fields: object) -> Call:
    values: dict[str, object] = {
        "project_id": 1,
        "id": uuid7(),
        "started_at": datetime(2026, 11, 21, tzinfo=UTC),
        "request": b'{"a": "\xff\x00"}',
        **fields,
    }
    return Call(**values)  # type: ignore[arg-type]


def test_spooled_calls_come_back_exactly(tmp_path: Path) -> None:
    calls = [make_call(tags={"a": "b"}, response=b"\x00"), make_call(variables=b"{}")]
    kept = Spool(tmp_path)

    kept.keep(calls)

    (path,) = kept.waiting()
    assert list(read_calls(path)) == calls


def test_a_lone_surrogate_does_not_keep_a_call_out_of_the_spool(tmp_path: Path) -> None:
    kept = Spool(tmp_path)

    kept.keep([make_call(model="\ud800", tags={"\udfff": "x"})])

    (call,) = read_calls(kept.waiting()[0])
    assert (call.model, call.tags) == ("?", {"?": "x"})


def test_a_torn_last_line_is_left_out_and_a_damaged_one_set_aside(tmp_path: Path) -> None:
    kept = Spool(tmp_path)
    whole = make_call()
    kept.keep([whole])
    (path,) = kept.waiting()
    with path.open("ab") as file:
        file.write(b'{"damaged": true}\n{"torn')

    assert list(read_calls(path)) == [whole]
    assert path.with_suffix(".unreadable").read_bytes() == b'{"damaged": true}\n'


def test_a_file_that_is_being_written_is_not_drained_by_another_process(tmp_path: Path) -> None:
    writer, other = Spool(tmp_path), Spool(tmp_path)
    writer.keep([make_call()])

    assert other.waiting() == []
    writer.close()
    assert len(other.waiting()) == 1


FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from requests_log.calls import Call
from workbench.gateway.spool import Spool, read_calls

def call(number, size):
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return Call(project_id=1, id=UUID(int=number), started_at=at, request=b"x" * size)

kept = Spool(Path(sys.argv[1]))
kept.keep([call(1, 10)])
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    kept.keep([call(2, 20_000)])
except OSError as problem:
    assert "large" in str(problem), problem
else:
    raise SystemExit("it claims to have kept the call")
kept.keep([call(3, 10)])
(path,) = kept.waiting()
assert [one.id.int for one in read_calls(path)] == [1, 3]
assert path.read_bytes().endswith(b"\\n")
"""


def test_a_disk_that_takes_half_a_call_refuses_it_and_spoils_no_other(tmp_path: Path) -> None:
    program = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(program, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_file_drained_by_another_process_is_no_trouble(tmp_path: Path) -> None:
    writer = Spool(tmp_path)
    writer.keep([make_call()])
    (path,) = writer.waiting()
    path.unlink()
    (tmp_path / "gone.jsonl").symlink_to(path)  # listed, but not there when it is looked at

    assert list(read_calls(path)) == []
    assert writer.size() == 0
    writer.keep([make_call()])
    writer.close()


def test_a_full_spool_says_so(tmp_path: Path) -> None:
    kept = Spool(tmp_path, most_bytes=100)

    with pytest.raises(SpoolFull):
        kept.keep([make_call(request=b"x" * 200)])

    assert spool.MOST_BYTES > 100


async def test_what_cannot_be_kept_anywhere_is_counted(
    tmp_path: Path, store_away: pytest.MonkeyPatch
) -> None:
    book = logbook.Logbook(Spool(tmp_path, most_bytes=1))

    await book.record(make_call)

    assert (book.lost, book.spooled) == (1, 0)
    await asyncio.wait_for(book.close(), 60)


def test_a_flipped_bit_is_noticed_and_set_aside(tmp_path: Path) -> None:
    kept = Spool(tmp_path)
    kept.keep([make_call(request=b"x" * 100), make_call()])
    (path,) = kept.waiting()
    written = bytearray(path.read_bytes())
    written[written.index(b"eHh4") + 8] ^= 1  # inside the first call's body, still good JSON
    path.write_bytes(bytes(written))

    assert len(list(read_calls(path))) == 1
    assert path.with_suffix(".unreadable").read_bytes() == bytes(written).splitlines(True)[0]


def test_a_line_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    call = make_call()
    (tmp_path / "old.jsonl").write_bytes(msgspec.json.encode(call) + b"\n")

    assert list(read_calls(tmp_path / "old.jsonl")) == [call]


@pytest.mark.parametrize("cut", range(2, 400, 37))
def test_a_record_torn_anywhere_costs_only_itself(tmp_path: Path, cut: int) -> None:
    kept = Spool(tmp_path)
    whole, torn = make_call(), make_call()
    kept.keep([whole])
    (path,) = kept.waiting()
    with path.open("ab") as file:
        file.write(line_of(torn)[:-cut])

    assert list(read_calls(path)) == [whole]


def test_calls_that_fit_are_kept_although_others_do_not(tmp_path: Path) -> None:
    kept = Spool(tmp_path, most_bytes=5000)
    small, large = make_call(), make_call(request=b"x" * 9000)

    problems = kept.keep_what_fits([small, large, make_call()])

    assert [type(problem) for problem in problems] == [type(None), SpoolFull, type(None)]
    (path,) = kept.waiting()
    assert len(list(read_calls(path))) == 2


def test_the_bound_holds_for_all_processes_together(tmp_path: Path) -> None:
    one = Spool(tmp_path, most_bytes=3000)
    one.keep([make_call(request=b"x" * 1500)])

    with pytest.raises(SpoolFull):
        Spool(tmp_path, most_bytes=3000).keep([make_call(request=b"x" * 1500)])
    one.close()


TWO_WRITERS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from requests_log.calls import Call
from workbench.gateway.spool import Spool

kept = Spool(Path(sys.argv[1]))
for number in range(200):
    at = datetime(2026, 11, 21, tzinfo=UTC)
    number += 1000 * int(sys.argv[2])
    kept.keep([Call(project_id=1, id=UUID(int=number), started_at=at, request=b"x" * 300)])
    print(number, flush=True)
"""


def test_two_processes_write_and_one_is_killed(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", TWO_WRITERS, str(tmp_path)]
    writers = [
        subprocess.Popen([*program, str(n)], env=env, stdout=subprocess.PIPE) for n in (1, 2)
    ]
    confirmed = set()
    for _ in range(50):
        confirmed.add(int(writers[0].stdout.readline()))  # type: ignore[union-attr]
    writers[0].kill()
    for writer in writers:
        said, _ = writer.communicate(timeout=240)
        confirmed.update(map(int, said.split()))

    found = {call.id.int for path in Spool(tmp_path).waiting() for call in read_calls(path)}

    assert confirmed <= found
    assert len(confirmed) >= 250


def test_a_file_is_drained_by_one_process_only(tmp_path: Path) -> None:
    kept = Spool(tmp_path)
    kept.keep([make_call()])
    (path,) = kept.waiting()

    with claimed(path) as ours, claimed(path) as theirs:
        assert (ours, theirs) == (True, False)


def test_a_full_lane_sends_calls_to_the_spool_and_they_arrive_all_the_same(
    world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def take(self, call: object, *, lane: Lane) -> None:
            raise batcher.Overloaded(lane)

    before = gateway.logbook.spooled
    with monkeypatch.context() as patch:
        patch.setattr(logbook, "RETRY_SECONDS", 0.1)
        patch.setattr(batcher, "shared", Full)
        assert world.post(BODY).status_code == 200
        wait_until(lambda: gateway.logbook.spooled > before)

    assert world.logged()[0].status == "ok"


def test_what_was_lost_is_in_the_log_s_count_of_losses(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose_three() -> int:
        pool = await open_pool()
        shared = batcher.Batcher(pool, batcher.Limits.from_settings())
        book = logbook.Logbook(Spool(tmp_path, most_bytes=1))
        call = make_call(project_id=world.project.pk)
        with monkeypatch.context() as patch:
            patch.setattr(logbook, "STORE_SECONDS", 0.0)
            await asyncio.gather(*(book.record(lambda: call) for _ in range(3)))
        with monkeypatch.context() as patch:
            patch.setattr(batcher, "shared", lambda: shared)
            await book.close()
        await shared.close()
        await pool.close()
        return book.lost

    assert asyncio.run(lose_three()) == 3
    row = DroppedByClient.objects.get(project=world.project)
    assert (row.reason, row.count) == ("the gateway's spool is full", 3)


def test_the_doctor_can_see_what_waits_and_what_was_set_aside(tmp_path: Path) -> None:
    kept = Spool(tmp_path)
    assert spool_state(tmp_path / "none") == (0, 0)
    kept.keep([make_call()])
    kept.close()
    (tmp_path / "a.unreadable").touch()

    waiting, odd = spool_state(tmp_path)

    assert waiting > 100
    assert odd == 1
