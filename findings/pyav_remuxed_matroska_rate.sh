#!/usr/bin/env bash
# The rate of a clip that PyAV remuxes into Matroska (add_stream_from_template, packets copied, as `ffmpeg -c copy`).
#
# 960 fps H.264 in MP4, 40 frames, copied to .mkv and .mov. PyAV 17.0.1 does not hand the stream's average rate on, so that
# the muxer writes no DefaultDuration; with Matroska's ticks of 1 ms what is left says 1000 fps (average_rate and
# guessed_rate), and players and readers see two frames missing. PyAV 18.1.0: 960. In .mov, whose ticks are finer, both
# say 960. All frames are there in each. Whoever converts slow motion for others by PyAV before 18 gives the rate beside.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" << 'PYTHON'
from fractions import Fraction

import av
import numpy as np

with av.open("clip.mp4", "w") as container:
    stream = container.add_stream("libx264", rate=960, options={"preset": "ultrafast"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(40):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 6 * number, np.uint8), "rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 960)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def remuxed(name):
    with av.open("clip.mp4") as source, av.open(name, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with av.open(name) as container:
        stream = container.streams.video[0]
        rates = stream.average_rate, stream.guessed_rate
        return (*map(int, rates), sum(1 for _ in container.decode(video=0)))


found = {name: remuxed(name) for name in ("copy.mkv", "copy.mov")}
print(av.__version__, found)
matroska = 1000 if av.__version__ == "17.0.1" else 960
assert found == {"copy.mkv": (matroska, matroska, 40), "copy.mov": (960, 960, 40)}
PYTHON
for version in 17.0.1 18.1.0; do
	python3 -m venv --clear "$folder/env"
	"$folder/env/bin/pip" install --quiet "av==$version" numpy 2> /dev/null
	(cd "$folder" && env/bin/python look.py)
done
