#!/usr/bin/env bash
# One Phantom .cine (Vision Research's high-speed cameras), three readers, three pictures.
#
# A recording of 12-bit samples in 16, black level 64, white level 4064, bottom row first as in any BMP, frames numbered
# from -2, as cameras number what came before the trigger.
#   pycine 0.3.2       stretches black..white to 0..4095 (1000 becomes 958) and truncates; start_frame_cine=N gives the
#                      frame before N, for the first number the last frame of the file, for 0 the first: without a word.
#   cine-handler 0.1.1 gives samples as stored (1000), upside down.
#   PyAV 18.1.0        (FFmpeg 8.1) fills 16 bits (1000 becomes 16003), levels unheeded; average_rate is None, and only
#                      the time base tells the rate of recording.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 cine-handler==0.1.1 'numpy<3' pycine==0.3.2 2> /dev/null
cd "$folder"
env/bin/python - << 'PYTHON'
import ctypes
import struct

import av
import cine_reader
import numpy as np
import pycine.cine as layout
import pycine.raw

WIDTH, HEIGHT, FIRST = 16, 8, -2
rows, columns = np.mgrid[:HEIGHT, :WIDTH]
frames = [(1000 * number + 100 * rows + columns).astype("<u2") for number in (1, 2, 3)]  # the top row is the darkest

head, bitmap, setup = layout.CINEFILEHEADER(), layout.BITMAPINFOHEADER(), layout.SETUP()
index = 84 + ctypes.sizeof(setup)
for name, value in {
    "Type": b"CI" if isinstance(head.Type, bytes) else 0x4943, "Headersize": 44, "Version": 1,
    "FirstMovieImage": FIRST, "TotalImageCount": 3, "FirstImageNo": FIRST, "ImageCount": 3,
    "OffImageHeader": 44, "OffSetup": 84, "OffImageOffsets": index,
}.items():
    setattr(head, name, value)
for name, value in {
    "biSize": 40, "biWidth": WIDTH, "biHeight": HEIGHT, "biPlanes": 1, "biBitCount": 16,
    "biSizeImage": 2 * WIDTH * HEIGHT, "biClrImportant": 4096,
}.items():
    setattr(bitmap, name, value)
for name, value in {
    "Mark": b"ST" if isinstance(setup.Mark, bytes) else 0x5453, "Length": ctypes.sizeof(setup), "RealBPP": 12,
    "BlackLevel": 64, "WhiteLevel": 4064, "ImWidth": WIDTH, "ImHeight": HEIGHT, "FrameRate": 1000,
    "dFrameRate": 1000.0, "ShutterNs": 100000,
}.items():
    setattr(setup, name, value)
size = 8 + 2 * WIDTH * HEIGHT
with open("clip.cine", "wb") as file:
    file.write(bytes(head) + bytes(bitmap) + bytes(setup))
    file.write(struct.pack("<3q", *(index + 24 + number * size for number in range(3))))
    for frame in frames:
        file.write(struct.pack("<II", 8, 2 * WIDTH * HEIGHT) + frame[::-1].tobytes())


def corners(picture):
    return int(picture[0, 0]), int(picture[-1, 0])


def by_pycine(**which):
    return corners(next(pycine.raw.read_frames("clip.cine", count=1, **which)[0]))


seen = {"stored, top left and bottom left": corners(frames[0])}
seen["pycine, the first frame"] = by_pycine()
for number in (-2, -1, 0):
    seen[f"pycine, start_frame_cine={number}"] = by_pycine(start_frame_cine=number)
with cine_reader.Cine("clip.cine") as clip:
    clip.load_frame(FIRST)
    seen["cine-handler, frame -2"] = corners(clip.image)
with av.open("clip.cine") as container:
    stream = container.streams.video[0]
    seen["PyAV, rates"] = stream.average_rate, str(stream.time_base)
    seen["PyAV, the first frame"] = corners(next(container.decode(video=0)).to_ndarray())
for what, value in seen.items():
    print(f"{what}: {value}")
assert list(seen.values()) == [
    (1000, 1700), (958, 1674), (3005, 3722), (958, 1674), (958, 1674), (1700, 1000), (None, "1/1000"),
    (16003, 27206),
]
PYTHON
