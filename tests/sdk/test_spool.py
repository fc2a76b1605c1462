"""The disk spool: what a killed process, a broken disk and a stranger's file leave intact."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stillhouse import Client, ConfigurationError, _spool
from tests.sdk.conftest import KEY, ClientMaker
from tests.sdk.servers import Answer, StillhouseServer, black_hole, dead_url

EVENT = {"name": "x"}


def names(server: StillhouseServer) -> Counter[str]:
    """Every sending of every event, so that a second sending shows."""
    return Counter(
        event["request"]["name"] for seen in server.seen for event in seen.envelope["events"]
    )


def segments(spool: Path) -> list[Path]:
    return sorted(spool.glob("*/run-*/*.seg"))


def run(script: str, url: str, spool: Path) -> subprocess.CompletedProcess[str]:
    """A program of its own with a spooling client; `kept(n)` waits until n are on disk."""
    prelude = """
import os, signal, sys, time
from stillhouse import Client
client = Client(flush_interval=60)
def log(name): return client.log(request={"name": name})
def kept(count):
    while client.stats().spooled < count: time.sleep(0.005)
"""
    env = {**os.environ, "STILLHOUSE_URL": url, "STILLHOUSE_API_KEY": KEY}
    env.update(STILLHOUSE_SPOOL=str(spool), PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, "-c", prelude + script]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=240, check=False
    )


def leave_behind(spool: Path, url: str, count: int = 3) -> Path:
    """A segment of a process that was killed before the server took anything."""
    script = f"for i in range({count}): log(f'call-{{i}}')\nkept({count})\n"
    done = run(script + "os.kill(os.getpid(), signal.SIGKILL)", url, spool)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return segments(spool)[0]


@pytest.fixture
def down(server: StillhouseServer) -> StillhouseServer:
    """The server, answering that it is overloaded until told otherwise."""
    server.always = Answer(503, {}, {"Retry-After": "60"})
    return server


def up_again(server: StillhouseServer) -> None:
    server.always = None
    server.seen.clear()


def test_events_pass_through_the_spool_and_leave_nothing_behind(
    server: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    client = make_client(spool=tmp_path, flush_interval=60)

    for number in range(250):
        client.log(request={"name": f"call-{number}"})

    assert client.flush(60)
    assert names(server) == {f"call-{number}": 1 for number in range(250)}
    assert client.stats().spooled == 0
    client.close(60)
    assert segments(tmp_path) == []
    assert list(tmp_path.glob("*/run-*")) == []


def test_what_a_killed_process_left_is_sent_once_by_the_next(
    down: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    leave_behind(tmp_path, down.url, 150)
    up_again(down)

    client = make_client(spool=tmp_path)

    assert client.flush(60)
    assert names(down) == {f"call-{number}": 1 for number in range(150)}
    assert client.stats().recovered == 150
    assert segments(tmp_path) == []


def test_exit_with_a_dead_server_keeps_everything(
    server: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    with black_hole() as hole:
        done = run("for i in range(500): log(f'call-{i}')", hole, tmp_path)
    assert done.returncode == 0, done.stderr
    owner = next(tmp_path.iterdir())  # of the other address: move it to this one's place
    client = make_client(spool=tmp_path)
    assert client.log(request={"name": "own"})
    assert client.flush(60)
    mine = next(folder for folder in tmp_path.iterdir() if folder != owner)
    for left in owner.glob("run-*"):
        shutil.move(str(left), mine / left.name)

    later = make_client(spool=tmp_path)

    assert later.flush(60)
    assert names(server) == {"own": 1, **{f"call-{number}": 1 for number in range(500)}}


def test_a_torn_tail_costs_the_last_record_only(
    down: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    segment = leave_behind(tmp_path, down.url)
    os.truncate(segment, segment.stat().st_size - 5)
    up_again(down)

    client = make_client(spool=tmp_path)

    assert client.flush(60)
    assert names(down) == {"call-0": 1, "call-1": 1}
    assert client.stats().dropped == {"spool_torn": 1}


@pytest.mark.parametrize("place", ["mark", "length", "checksum", "text"])
def test_a_flipped_bit_costs_its_record_only(
    down: StillhouseServer, make_client: ClientMaker, tmp_path: Path, place: str
) -> None:
    segment = leave_behind(tmp_path, down.url)
    data = bytearray(segment.read_bytes())
    offsets = {"mark": 1, "length": 8, "checksum": 11, "text": 20}
    data[len(_spool.MAGIC) + offsets[place]] ^= 0x40
    segment.write_bytes(data)
    up_again(down)

    client = make_client(spool=tmp_path)

    assert client.flush(60)
    assert names(down) == {"call-1": 1, "call-2": 1}
    assert client.stats().dropped == {"spool_corrupt": 1}
    client.log(request={"name": "next"})
    assert client.flush(60)
    assert {"spool_corrupt": 1} in down.dropped, "the server hears of it"


def test_every_flip_of_every_byte_costs_at_most_one_record() -> None:
    events = [b'{"n":%d}' % number for number in range(4)]
    data = _spool.MAGIC + b"".join(map(_spool.frame, events))

    for at in range(len(_spool.MAGIC), len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x01
        found = _spool.read_segment(bytes(broken))
        assert len(found.events) == 3, at
        assert sum(found.lost.values()) == 1, at
        assert set(found.events) <= set(events)


def test_every_cut_loses_no_whole_record() -> None:
    events = [b'{"n":%d}' % number for number in range(3)]
    frames = [_spool.frame(event) for event in events]
    data = _spool.MAGIC + b"".join(frames)
    ends = [len(_spool.MAGIC) + sum(map(len, frames[:count])) for count in range(4)]

    for cut in range(len(data) + 1):
        found = _spool.read_segment(data[:cut])
        whole = sum(end <= cut for end in ends[1:])
        assert found.events == events[:whole], cut
        assert bool(found.lost) == (cut > len(_spool.MAGIC) and cut not in ends), cut


def test_a_foreign_file_is_counted_and_left_alone(
    down: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    segment = leave_behind(tmp_path, down.url)
    foreign = segment.with_name("00000000.seg")
    foreign.write_bytes(b"a holiday photograph")
    (segment.parent / "notes.txt").write_text("mine")
    (tmp_path / "run-notes.txt").write_text("mine")
    up_again(down)

    client = make_client(spool=tmp_path)

    assert client.flush(60)
    assert names(down) == {f"call-{number}": 1 for number in range(3)}
    assert client.stats().dropped == {"spool_foreign": 1}
    kept = segment.parent
    assert {entry.name for entry in kept.iterdir()} >= {"00000000.foreign", "notes.txt"}
    assert (kept / "00000000.foreign").read_bytes() == b"a holiday photograph"


def test_two_processes_share_a_directory(server: StillhouseServer, tmp_path: Path) -> None:
    done = run(
        """
pid = os.fork()
who = "child" if pid == 0 else "parent"
for i in range(200): log(f"{who}-{i}")
ok = client.flush(60)
if pid == 0:
    client.close(); os._exit(0 if ok else 1)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) or not ok)
""",
        server.url,
        tmp_path,
    )

    assert done.returncode == 0, done.stderr
    expected = [f"{who}-{number}" for who in ("parent", "child") for number in range(200)]
    assert names(server) == dict.fromkeys(expected, 1)


def test_a_living_process_s_spool_is_not_touched(
    down: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    first = make_client(spool=tmp_path)
    first.log(request={"name": "first"})
    while first.stats().spooled < 1:
        first.flush(0.01)

    second = make_client(spool=tmp_path)
    second.flush(0.3)

    assert second.stats().recovered == 0
    assert first.close(0.1) is False
    assert len(segments(tmp_path)) == 1, "left for the next process"
    up_again(down)
    third = make_client(spool=tmp_path)
    assert third.flush(60)
    assert names(down)["first"] == 1


def test_a_fork_with_events_on_disk_sends_each_once(
    server: StillhouseServer, tmp_path: Path
) -> None:
    done = run(
        """
for i in range(50): log(f"before-{i}")
kept(50)
pid = os.fork()
if pid == 0:
    log("child")
    os._exit(0 if client.flush(60) else 1)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) or not client.flush(60))
""",
        server.url,
        tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert names(server) == {"child": 1, **{f"before-{number}": 1 for number in range(50)}}


def test_a_disk_that_takes_nothing_costs_no_event(
    server: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a directory")
    client = make_client(spool=tmp_path / "file")

    client.log(request=EVENT)

    assert client.flush(60)
    assert names(server) == {"x": 1}
    assert client.stats().spool_errors >= 1
    assert client.stats().dropped == {}


def test_a_disk_that_fills_up_costs_no_event(server: StillhouseServer, tmp_path: Path) -> None:
    done = run(
        """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for i in range(100): client.log(request={"name": f"call-{i}", "text": "x" * 1000})
ok = client.flush(60)
print(client.stats(), file=sys.stderr)
sys.exit(not (ok and client.stats().spool_errors))
""",
        server.url,
        tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert names(server) == {f"call-{number}": 1 for number in range(100)}


def test_a_half_written_batch_is_cut_off_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = _spool.Spool(tmp_path, max_bytes=10_000, fsync="always")
    spool.append([b'"first"'])
    real = os.write

    def half(file: int, data: Any) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, bytes(data)[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        spool.append([b'"second, which is longer than the room that is left"'])
    monkeypatch.undo()
    spool.append([b'"third"'])
    spool.rotate()

    oldest = spool.oldest()
    assert oldest is not None
    assert _spool.read_segment(oldest[0].read_bytes()) == ([b'"first"', b'"third"'], {})
    spool.close()


def test_a_full_spool_falls_back_to_memory(
    server: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    client = make_client(spool=tmp_path, spool_max_bytes=10)

    client.log(request=EVENT)

    assert client.flush(60)
    assert names(server) == {"x": 1}


def test_the_clock_has_no_say(
    down: StillhouseServer,
    make_client: ClientMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import time

    now = time.time()
    leave_behind(tmp_path, down.url)
    up_again(down)
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    monkeypatch.setattr(time, "time_ns", lambda: int((now - 86_400) * 1e9))

    client = make_client(spool=tmp_path)
    client.log(request=EVENT)

    assert client.flush(60)
    assert names(down) == {"x": 1, **{f"call-{number}": 1 for number in range(3)}}


def test_what_is_masked_never_reaches_the_disk(
    down: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    client = make_client(spool=tmp_path, mask=lambda value: {"name": "masked"})

    client.log(request={"name": "secret"})

    while client.stats().spooled < 1:
        client.flush(0.01)
    client.close(0.1)
    written = b"".join(path.read_bytes() for path in segments(tmp_path))
    assert b"masked" in written
    assert b"secret" not in written


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_every_fsync_policy_delivers(
    server: StillhouseServer, make_client: ClientMaker, tmp_path: Path, fsync: str
) -> None:
    client = make_client(spool=tmp_path, spool_fsync=fsync)

    client.log(request=EVENT)

    assert client.flush(60)
    assert names(server) == {"x": 1}


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="spool_fsync is"):
        Client(KEY, dead_url(), spool="anywhere", spool_fsync="sometimes")


def test_only_the_owner_may_read_the_spool(
    down: StillhouseServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    segment = leave_behind(tmp_path, down.url)

    assert segment.stat().st_mode & 0o077 == 0
    assert segment.parent.stat().st_mode & 0o077 == 0
