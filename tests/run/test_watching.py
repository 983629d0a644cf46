"""A run is watched from its events alone: what is under way, how fast it goes, how it ends."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.events import Event
from lolblur_synth.dataset.progress import Counts, progress_path, read_progress
from lolblur_synth.run import watching
from lolblur_synth.run.made import made_of
from lolblur_synth.run.plan import Plan, Shard
from lolblur_synth.run.watching import Tally, Watch, watched
from tests.support.staged import record


def watch_of(out: Path, *, due: int = 2, kept: int = 1, shard: Shard | None = None) -> Watch:
    """Of sequences of four pairs; those that are kept have two."""
    tasks = [SimpleNamespace(id=f"000{k}-0", recipe=SimpleNamespace(slots=range(4))) for k in range(due + kept)]
    plan = cast(Plan, SimpleNamespace(out=out, sequences=tasks, faults=[object()], shard=shard))
    done = {f"000{k}-0": made_of(record(k)) for k in range(due, due + kept)}
    return Watch(plan, cast(Any, tasks[:due]), done)


def test_counts_follow_the_events_of_workers(tmp_path):
    watch = watch_of(tmp_path)
    for event in (
        Event("start", "0000-0", total=4, worker="a:1"),
        Event("start", "0001-0", total=4, worker="b:2"),
        Event("operator", "0001-0", "darken", worker="b:2"),
        Event("pair", "0001-0", pairs=1, bytes=100, memory=7, worker="b:2"),
        Event("pair", "0000-0", pairs=1, bytes=50, memory=9, worker="a:1"),
        Event("made", "0000-0", pairs=3, worker="a:1"),
    ):
        watch(event)
    watch.write()
    told = read_progress(tmp_path / "progress.json")
    assert (told.planned, told.kept) == (Counts(sequences=3, pairs=10), Counts(sequences=1, pairs=2))
    assert (told.made, told.failed, told.videos_failed) == (Counts(sequences=1, pairs=3), Counts(), 1)
    (left,) = told.under_way
    assert (left.worker, left.sequence, left.operator, left.pairs, left.total) == ("b:2", "0001-0", "darken", 1, 4)
    assert told.bytes_written == 150
    assert told.peak_memory >= 9
    assert (told.state, told.name) == ("running", None)


def test_the_rate_is_that_of_the_recent_past_and_tells_the_time_to_go(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: now, time=time.time))
    watch = watch_of(tmp_path, due=3, kept=0)
    watch(Event("made", "0000-0", pairs=4))  # of whose pairs nothing was heard
    now += 60
    watch.write()
    told = read_progress(watch.path)
    assert told.pairs_per_hour == pytest.approx(240)
    assert told.seconds_to_go == pytest.approx(120)
    now += 700
    watch.write()
    now += 601
    watch(Event("start", "0001-0", total=4))
    for pairs in (1, 2):
        watch(Event("pair", "0001-0", pairs=pairs))
    watch.write()
    told = read_progress(watch.path)
    assert told.pairs_per_hour == pytest.approx(2 * 3600 / 601, abs=1e-3)  # what was done long ago does not count
    assert told.seconds_to_go == pytest.approx(6 * 601 / 2)


def test_a_sequence_that_is_made_again_elsewhere_counts_once():
    tally = Tally({"0000-0": 4, "0001-0": 4})
    for event in (
        Event("start", "0000-0", total=4),
        Event("pair", "0000-0", pairs=1),
        Event("start", "0000-0", total=4, worker="b:1"),
        Event("failed", "0000-0", "no"),
        Event("made", "0000-0", pairs=4),
        Event("failed", "0000-0", "the other was faster"),
        Event("made", "0000-0", pairs=4),
    ):
        tally.note(event, 0.0)
    assert (tally.made, tally.failed, tally.under_way, tally.left) == ({"0000-0": 4}, set(), {}, 4)


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (None, "done", ""),
        (UserError("no room", where="x", advice="make some"), "failed", "x: no room; make some"),
        (ValueError("odd"), "failed", "ValueError: odd"),
        (KeyboardInterrupt(), "stopped", ""),
    ],
)
def test_the_end_of_a_run_is_told(tmp_path, error, state, told):
    events: list[Event] = []

    def run() -> None:
        with watched(watch_of(tmp_path), events.append) as notify:
            notify(Event("made", "0000-0", pairs=4))
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            run()
    else:
        run()
    found = read_progress(tmp_path / "progress.json")
    assert (found.state, found.error, found.seconds_to_go) == (state, told, None)
    assert [(event.kind, event.pairs) for event in events] == [("begin", 0), ("made", 4), ("end", 4)]
    assert events[-1].text == (told or state)


def test_progress_is_written_while_nothing_happens_and_what_the_disk_refuses_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "_INTERVAL", 0.01)
    monkeypatch.setattr(watching, "HEARTBEAT", 0.05)
    events: list[Event] = []
    with watched(watch_of(tmp_path, shard=Shard(2, 8)), events.append):
        path = progress_path(tmp_path, "shard-2-of-8")
        times = set[float]()
        deadline = time.monotonic() + 20
        while len(times) < 3 and time.monotonic() < deadline:
            if path.exists():
                times.add(read_progress(path).updated)
        assert len(times) == 3
        path.unlink(missing_ok=True)
        path.mkdir()
        (path / "in the way").touch()
        while len(events) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
    assert [event.kind for event in events] == ["begin", "warned", "end"]
    assert events[1].text.startswith("progress-shard-2-of-8.json cannot be written: ")


def test_a_part_has_a_plain_name(tmp_path):
    with pytest.raises(ValueError, match="letters, digits and hyphens"):
        progress_path(tmp_path, "../x")


def test_progress_of_a_stranger_is_one_line(tmp_path):
    watch_of(tmp_path).write()
    path = tmp_path / "progress.json"
    whole = path.read_text()
    for text in (
        "",
        whole[:300],
        "[]",
        "{}",
        whole.replace('"running"', '"asleep"'),
        whole.replace('"pid": ', '"pid": -'),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match="damaged") as caught:
            read_progress(path)
        assert str(caught.value).isprintable()
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="cannot be read"):
        read_progress(path)
