#!/usr/bin/env bash
# Counting what FFmpeg logs through PyAV 18.1.0's av.logging.Capture, as one does to find frames whose damage a decoder
# conceals: what a capture holds is not what was logged while it was open.
#
# - Equal lines in a row come as one; that there were more is told by the next other line, as the first line's text with
#   " (repeated N more times)" after it. Where the capture ends before another line, the rest goes nowhere or, as seen here,
#   into the next capture: three lines, then two of them left over. av.logging.set_skip_repeated(False) gives every line.
# - Of two captures that are open at once, nested or of two files, only the later one hears anything.
# - A capture hears its own thread alone unless it is opened with local=False; decoders with frame threads log in theirs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 2> /dev/null
"$folder/env/bin/python" - << 'PYTHON'
import threading

import av
from av.logging import Capture, log, set_level, set_skip_repeated

set_level(av.logging.WARNING)


def say(text, times=1):
    for _ in range(times):
        log(av.logging.WARNING, "decoder", text)


def lines(capture):
    return [text for _, _, text in capture]


with Capture() as first:
    say("damaged", 3)
with Capture() as second:
    say("other")
with Capture() as mixed:
    say("damaged", 3)
    say("other")
    say("damaged")
print("equal lines:", lines(first), lines(second), lines(mixed))
assert lines(first) == ["damaged"]
assert lines(second) == ["damaged (repeated 2 more times)", "other"]
assert lines(mixed) == ["damaged", "damaged (repeated 2 more times)", "other", "damaged"]

with Capture() as outer, Capture() as inner:
    say("both open")
print("two at once:", lines(outer), lines(inner))
assert (lines(outer), lines(inner)) == ([], ["both open"])

heard = {}
for local in (True, False):
    with Capture(local=local) as capture:
        thread = threading.Thread(target=say, args=(f"from a thread, local={local}",))
        thread.start()
        thread.join()
    heard[local] = lines(capture)
print("threads:", heard)
assert heard == {True: [], False: ["from a thread, local=False"]}

set_skip_repeated(False)
with Capture() as every:
    say("damaged", 3)
assert lines(every) == ["damaged"] * 3
print("set_skip_repeated(False):", lines(every), "PyAV", av.__version__)
PYTHON
