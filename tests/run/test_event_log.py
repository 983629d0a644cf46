"""A log of whole lines of one schema, whatever is killed, full, or in the way."""

import errno
import io
import json
import os
import threading
from pathlib import Path

import pytest

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.events import EVENTS, Event
from lolblur_synth.run.event_log import EventLog, check_log, open_log


def write(path: Path, *events: Event) -> EventLog:
    with open_log(path) as file:
        log = EventLog(file, lambda name: f"--{name}")
        for event in events:
            log(event)
    return log


def test_lines_are_of_the_schema_and_appended(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    failed = Event(
        "failed", "0000-0", f"a\nb \udcff, raise {setting('run.workers')}", seconds={"darken": 1.5}, memory=7
    )
    write(path, Event("begin", "", total=8), Event("operator", "0000-0", "darken"), failed)
    write(path, Event("end", "", "done"))
    lines = path.read_bytes().splitlines()
    assert [EVENTS.validate_json(line).kind for line in lines] == ["begin", "failed", "end"]
    told = json.loads(lines[1])
    assert told["text"] == r"a\nb \xff, raise --run.workers"
    assert told["seconds"] == {"darken": 1.5}
    host, _, pid = told["worker"].rpartition(":")
    assert host
    assert int(pid) == os.getpid()
    schema = EVENTS.json_schema()
    assert list(told) == list(schema["properties"])
    assert schema["required"] == ["kind", "sequence"]
    assert schema["additionalProperties"] is False


def test_half_a_line_that_a_kill_left_is_taken_off(tmp_path):
    path = tmp_path / "log.jsonl"
    write(path, Event("begin", ""))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "pa')
    write(path, Event("end", ""))
    assert [json.loads(line)["kind"] for line in path.read_bytes().splitlines()] == ["begin", "end"]
    path.write_bytes(b'{"kind":"beg')
    write(path, Event("end", ""))
    assert [json.loads(line)["kind"] for line in path.read_bytes().splitlines()] == ["end"]


@pytest.mark.parametrize(
    "content", [b"video\n", b"\0\0\0\x18ftypmp42", b'{"pair": "0000/0001"}\n', b'{"kind":"odd"}\n']
)
def test_a_file_that_is_no_log_stays_as_it_is(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no log of a run"):
        check_log(path, tmp_path / "out")
    assert path.read_bytes() == content


def test_places_where_no_log_can_be_are_refused_before_the_run(tmp_path):
    for path in (tmp_path, tmp_path / "gone" / "log.jsonl"):
        with pytest.raises(UserError, match=r"log_json .*(cannot be written|its folder is not there)"):
            check_log(path, tmp_path / "out")
    check_log(tmp_path / "out" / "logs" / "log.jsonl", tmp_path / "out")
    check_log(tmp_path / "log.jsonl", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_two_runs_do_not_write_one_log(tmp_path):
    path = tmp_path / "log.jsonl"
    with open_log(path), pytest.raises(UserError, match="another run writes it"), open_log(path):
        pass


def test_a_pipe_is_taken_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    thread.start()
    write(pipe, Event("begin", ""))
    thread.join()
    assert json.loads(read[0])["kind"] == "begin"


class FullDisk(io.BytesIO):
    """A file with room for some bytes."""

    room = 250

    def write(self, data) -> int:
        if self.tell() == self.room:
            raise OSError(errno.ENOSPC, "no room")
        return super().write(data[: self.room - self.tell()])


def test_a_full_disk_takes_whole_lines_and_lost_ones_are_counted():
    file = FullDisk()
    log = EventLog(file, str)
    for number in range(3):
        log(Event("pair", "0000-0", pairs=number))
    assert log.lost == 2
    (line,) = file.getvalue().splitlines()
    assert EVENTS.validate_json(line).pairs == 0
    file.room = 10_000
    log(Event("made", "0000-0"))
    assert [EVENTS.validate_json(line).kind for line in file.getvalue().splitlines()] == ["pair", "made"]
