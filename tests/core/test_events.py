"""Events of other processes, told in this one."""

import os
import pickle
import subprocess
import sys
import time

import pytest

from lolblur_synth.core.events import Event, Sender, gathered

TELL = """
import pickle, sys
from lolblur_synth.core.events import Event
sender = pickle.loads(bytes.fromhex(sys.argv[1]))
for number in range(500):
    sender(Event("pair", sys.argv[2], f"{number} " + 290 * chr(0x1F3A5), number))
"""


def tell(sender: Sender, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", TELL, pickle.dumps(sender).hex(), name])


def test_events_of_several_processes_arrive_whole_and_in_the_order_of_each():
    told: list[Event] = []
    with gathered(told.append) as sender:
        assert [process.wait() for process in [tell(sender, name) for name in ("a", "b")]] == [0, 0]
    assert len(told) == 1000
    for name in ("a", "b"):
        assert [event.total for event in told if event.sequence == name] == list(range(500))
    assert {event.text.partition(" ")[2] for event in told} == {290 * chr(0x1F3A5)}
    assert not sender.pipe.parent.exists()


def test_a_process_that_is_killed_in_the_middle_costs_its_events_alone():
    told: list[Event] = []
    with gathered(told.append) as sender:
        process = tell(sender, "a")
        while not told:
            time.sleep(0.001)
        process.kill()
        process.wait()
        sender.write(b'{"kind": "pair", "seq\n')
        sender(Event("made", "b"))
    assert told[-1] == Event("made", "b")


def test_what_a_listener_raises_comes_at_the_end_and_nobody_waits_for_it():
    def fail(event: Event) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError), gathered(fail) as sender:
        assert tell(sender, "a").wait(timeout=30) == 0


def test_where_nobody_listens_nothing_happens(tmp_path):
    os.mkfifo(tmp_path / "events")
    Sender(tmp_path / "events")(Event("made", "a"))
    Sender(tmp_path / "gone")(Event("made", "a"))
