#!/usr/bin/env bash
# Mirrored clips (front cameras, tools that flip without encoding anew) in OpenCV 5.0.0.93's VideoCapture: it turns by the
# angle of the display matrix and does not see that the matrix mirrors.
#
# mirrored left to right: shown turned by 180 degrees (CAP_PROP_ORIENTATION_META says 180); upside down: shown as stored
# (says 0); mirrored along the diagonal, as a flipped portrait clip is: turned by a quarter, not mirrored (says 90).
# Whoever undoes the turn by that property gets the mirror image of what players show. imageio 2.38.1 (pyav plug-in) heeds
# no matrix at all: even a portrait clip comes lying on its side.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 imageio==2.38.1 opencv-python-headless==5.0.0.93 2> /dev/null
cd "$folder"
env/bin/python - << 'PYTHON'
import struct
from pathlib import Path

import av
import cv2
import imageio.v3 as imageio
import numpy as np

COLOURS = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255), "Y": (255, 255, 0)}
picture = np.zeros((64, 96, 3), np.uint8)
for letter, (row, column) in zip("RGBY", ((0, 0), (0, 48), (32, 0), (32, 48))):
    picture[row : row + 32, column : column + 48] = COLOURS[letter]
with av.open("stored.mp4", "w") as container:
    stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
    stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
    for _ in range(3):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
    container.mux(stream.encode(None))


def shown_by(a, b, c, d):
    """Write a display matrix into the header of the track: x' = a x + c y, y' = b x + d y."""
    data = bytearray(Path("stored.mp4").read_bytes())
    header = data.index(b"tkhd") + 4
    at = header + (52 if data[header] else 40)
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    Path("clip.mp4").write_bytes(data)
    capture = cv2.VideoCapture("clip.mp4")
    frame = capture.read()[1][..., ::-1]
    height, width = frame.shape[:2]
    quarters = (frame[y * height // 4, x * width // 4] for y, x in ((1, 1), (1, 3), (3, 1), (3, 3)))
    letters = "".join(min(COLOURS, key=lambda k: abs(np.subtract(COLOURS[k], q)).sum()) for q in quarters)
    return letters, int(capture.get(cv2.CAP_PROP_ORIENTATION_META)), imageio.imread("clip.mp4", index=0, plugin="pyav").shape


stored = (64, 96, 3)
expected = {  # matrix: what a player shows (ISO 14496-12); what OpenCV shows, what it says; imageio's shape
    "as stored": ((1, 0, 0, 1), "RGBY", ("RGBY", 0, stored)),
    "turned by a half": ((-1, 0, 0, -1), "YBGR", ("YBGR", 180, stored)),
    "turned by a quarter": ((0, -1, 1, 0), "GYRB", ("GYRB", 270, stored)),
    "mirrored left to right": ((-1, 0, 0, 1), "GRYB", ("YBGR", 180, stored)),
    "mirrored top to bottom": ((1, 0, 0, -1), "BYRG", ("RGBY", 0, stored)),
    "mirrored along the diagonal": ((0, 1, 1, 0), "RBGY", ("BRYG", 90, stored)),
}
for what, (matrix, right, seen) in expected.items():
    found = shown_by(*matrix)
    print(f"{what}: right {right}, OpenCV {found[0]} (orientation {found[1]}), imageio {found[2]}")
    assert found == seen, found
PYTHON
