#!/usr/bin/env bash
# BT.2020 footage in DNxHR, written and read by PyAV 18.1.0 (FFmpeg 8.1.2) and tagged 9/18/9 (primaries, transfer, matrix).
#
# The samples in the file are exactly those that were given, made by BT.2020's matrix, and the container says so, before
# and after decoding. The decoded frame says that its matrix is BT.709's (1): the encoder leaves the bits for it in every
# frame's header (byte 0x2C) at that, whatever it was told. to_ndarray follows the frame, so that reds and greens come
# out wrong by up to 0.034 of 1; grey hides it. What the container says of primaries and transfer the frame keeps (9, 18), so that it seems right.
# MJPEG does the same with BT.601's matrix (5). CineForm, v210 and JPEG 2000 keep the container's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 numpy==2.4.6 2> /dev/null
cd "$folder"
"$folder/env/bin/python" - << 'PYTHON'
from fractions import Fraction

import av
import numpy as np

COLOURS = np.array([[0.8, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.8], [0.5, 0.5, 0.5]])
RED, BLUE = 0.2627, 0.0593  # of BT.2020's luma
Y = COLOURS @ [RED, 1 - RED - BLUE, BLUE]
CB, CR = (COLOURS[:, 2] - Y) / (2 - 2 * BLUE), (COLOURS[:, 0] - Y) / (2 - 2 * RED)
SAMPLES = np.stack([64 + 876 * Y, 512 + 896 * CB, 512 + 896 * CR], 1).round().astype("<u2")


def picture():
    frame = av.VideoFrame(256, 128, "yuv422p10le")
    for channel, plane in enumerate(frame.planes):
        rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
        rows[:, : plane.width] = np.repeat(SAMPLES[:, channel], plane.width // 4)
        plane.update(rows.tobytes())
    frame.pts, frame.time_base = 0, Fraction(1, 24)
    return frame


def written_and_read(codec, options):
    with av.open("a.mov", "w") as container:
        stream = container.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = 256, 128, "yuv422p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 18, 9, 1
        container.mux(stream.encode(picture()))
        container.mux(stream.encode(None))
    with av.open("a.mov") as container:
        stream = container.streams.video[0]
        told = int(stream.codec_context.colorspace)
        frame = next(container.decode(stream))
        luma = np.frombuffer(frame.planes[0], "<u2").reshape(128, -1)[64, 32:256:64].astype(int)
        rgb = frame.to_ndarray(format="rgb48le")[64, 32::64] / 65535
        codes = int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)
    return told, codes, np.abs(luma - SAMPLES[:, 0]).max(), np.abs(rgb - COLOURS).max(1).round(3)


told, codes, off, wrong = written_and_read("dnxhd", {"profile": "dnxhr_hqx"})
print("DNxHR: container's matrix", told, "frame's primaries, transfer, matrix", codes, "luma off by", off, "RGB", wrong)
assert (told, codes) == (9, (9, 18, 1))
assert off <= 1
assert 0.025 < wrong[0] < 0.045 and 0.025 < wrong[1] < 0.045 and wrong[3] < 0.005
told, codes, off, wrong = written_and_read("cfhd", {})
print("CineForm: container's matrix", told, "frame's", codes, "luma off by", off, "RGB", wrong, "PyAV", av.__version__)
assert (told, codes) == (9, (9, 18, 9))
assert wrong.max() < 0.006
PYTHON
