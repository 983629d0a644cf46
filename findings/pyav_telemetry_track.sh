#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1.2): a track of timed data in an MP4 (GoPro's gpmd) is listed among container.streams.data with
# its one sample counted, but demux() of it gives no packet that holds any byte, and no error: such tracks come with
# discard = 48 (all). With stream.discard = 0 the sample comes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 numpy==2.4.1 2> /dev/null
cd "$folder"
cat > tell.py << 'PYTHON'
from fractions import Fraction

import av
import numpy as np

with av.open("a.mp4", "w") as container:
    video, data = container.add_stream("libx264", rate=240), container.add_data_stream("bin_data")
    video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
    for number in range(24):
        frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 5 * number, np.uint8), "rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 240)
        container.mux(video.encode(frame))
    packet = av.Packet(b"DEVC\0\1\0\0")
    packet.stream, packet.pts, packet.dts, packet.time_base = data, 0, 0, Fraction(1, 1000)
    container.mux(packet)
    container.mux(video.encode(None))


def sizes(*, discard):
    with av.open("a.mp4") as container:
        (track,) = container.streams.data
        told = int(track.discard), track.frames
        if not discard:
            track.discard = 0
        return told, [packet.size for packet in container.demux(track)]


print("as it is opened:", *sizes(discard=True), "discard = 0:", sizes(discard=False)[1])
PYTHON
env/bin/python tell.py | tee told
[ "$(cat told)" = "as it is opened: (48, 1) [0] discard = 0: [8, 0]" ]
