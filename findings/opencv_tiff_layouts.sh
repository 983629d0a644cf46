#!/usr/bin/env bash
# TIFF files that tifffile 2026.3.3 writes and reads back, in OpenCV 5.0.0.93 (imdecode, IMREAD_COLOR | IMREAD_ANYDEPTH):
# which of them come back as other pictures, without an error, and which not at all.
#
#   16 bit, colour planes apart (tifffile's default for an array (3, H, W)): other values everywhere
#   16 bit, white is zero: the negative
#   16 bit grey with alpha: uint8, and wrong
#   8 bit RGBA, unassociated alpha: colours multiplied by alpha; associated alpha: as stored
#   8 bit grey or RGB in tiles of 16: None; 16 bit in the same tiles: right
#   several pages: the first
# And tifffile itself fills a strip whose bytes are not there with zeros.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet opencv-python-headless==5.0.0.93 tifffile==2026.3.3 2> /dev/null
cd "$folder"
env/bin/python - 2> /dev/null << 'PYTHON'
from pathlib import Path

import cv2
import numpy as np
import tifffile

y, x = np.mgrid[:48, :64]
rgb8 = np.stack([4 * x, 5 * y, 2 * (x + y)], -1).astype(np.uint8)
rgb16, grey16 = rgb8.astype(np.uint16) * 257, (x * 1000 + y).astype(np.uint16)
alpha8 = np.full((48, 64, 1), 96, np.uint8)


def seen(truth, pixels, **layout):
    """What OpenCV makes of a file: how far from the truth on average, of the truth's range; or what it is instead."""
    tifffile.imwrite("a.tif", pixels, **layout)
    assert np.array_equal(tifffile.imread("a.tif"), pixels)
    found = cv2.imdecode(np.fromfile("a.tif", np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if found is None:
        return "None"
    if found.dtype != truth.dtype:
        return f"{found.dtype} for {truth.dtype}"
    spread = truth if truth.ndim == 3 else np.dstack([truth] * 3)
    off = np.abs(found[..., ::-1].astype(float) - spread).mean() / np.iinfo(truth.dtype).max
    return "right" if off == 0 else "other pixels" if off > 0.02 else f"off by {off:.4f}"


rows = {
    "16 bit RGB": seen(rgb16, rgb16, photometric="rgb"),
    "16 bit RGB, planes apart": seen(rgb16, rgb16.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
    "16 bit grey, white is zero": seen(grey16, 65535 - grey16, photometric="miniswhite"),
    "16 bit grey and alpha": seen(
        grey16, np.dstack([grey16, np.full_like(grey16, 65535)]), photometric="minisblack", extrasamples=["unassalpha"]
    ),
    "8 bit RGBA, unassociated": seen(rgb8, np.dstack([rgb8, alpha8]), photometric="rgb", extrasamples=["unassalpha"]),
    "8 bit RGBA, associated": seen(rgb8, np.dstack([rgb8, alpha8]), photometric="rgb", extrasamples=["assocalpha"]),
    "8 bit RGB in tiles of 16": seen(rgb8, rgb8, photometric="rgb", tile=(16, 16)),
    "16 bit RGB in tiles of 16": seen(rgb16, rgb16, photometric="rgb", tile=(16, 16)),
    "8 bit RGB, the first of two pages": seen(rgb8, np.stack([rgb8, rgb8[::-1]]), photometric="rgb"),
}
tifffile.imwrite("strips.tif", rgb8, photometric="rgb", rowsperstrip=16)
with tifffile.TiffFile("strips.tif", mode="r+") as file:
    tag = file.pages[0].tags["StripByteCounts"]
    tag.overwrite([*tag.value[:2], 0])
rows["tifffile: a strip of no bytes is read as"] = str(np.unique(tifffile.imread("strips.tif")[32:]).tolist())
for what, found in rows.items():
    print(f"{what}: {found}")
assert list(rows.values()) == [
    "right", "other pixels", "other pixels", "uint8 for uint16", "other pixels", "right", "None", "right", "right", "[0]",
], list(rows.values())
PYTHON
