#!/usr/bin/env bash
# Float TIFF of OpenCV: cv2.imwrite of a float32 picture keeps it or not by its channels and by OpenCV's version.
#
# opencv-python-headless 4.12.0.88: grey is written as 32-bit floats, to the bit; colour is written as SGI LogLuv (tag
# Compression 34676, 16 bits a sample), which is off by up to 0.018 for values in [0, 1], loses what is below 0, and which
# tifffile 2026.3.3 takes for int16. 4.13.0.92 and later: colour is 32-bit floats too, to the bit.
# cv2.imread gives float32 back in all cases, so that shape and type do not tell. For linear frames between programs write
# float TIFF by tifffile, or give IMWRITE_TIFF_COMPRESSION = 1, by which 4.12 keeps them too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" << 'PYTHON'
import sys

import cv2
import numpy as np
import tifffile

colour = np.random.default_rng(0).random((32, 48, 3), dtype=np.float32)
pictures = {"grey": colour[..., 0], "colour": colour, "below 0": colour - 0.5}


def seen(picture, options=()):
    cv2.imwrite("picture.tiff", picture, options)
    page = tifffile.TiffFile("picture.tiff").pages[0]
    back = cv2.imread("picture.tiff", cv2.IMREAD_UNCHANGED)
    assert (back.dtype, back.shape) == (picture.dtype, picture.shape)
    return int(page.compression), page.bitspersample, str(page.dtype), float(np.abs(back - picture).max())


found = {name: seen(picture) for name, picture in pictures.items()}
asked = seen(colour - 0.5, (cv2.IMWRITE_TIFF_COMPRESSION, 1))
print(cv2.__version__, found, "with compression 1:", asked)
assert found["grey"] == asked == (1, 32, "float32", 0.0)
if sys.argv[1] == "4.12.0.88":
    assert found["colour"][:3] == found["below 0"][:3] == (34676, 16, "int16")
    assert 0.01 < found["colour"][3] < 0.03
    assert found["below 0"][3] > 0.5
else:
    assert found["colour"] == found["below 0"] == (1, 32, "float32", 0.0)
PYTHON
for version in 4.12.0.88 4.13.0.92; do
	python3 -m venv --clear "$folder/env"
	"$folder/env/bin/pip" install --quiet "opencv-python-headless==$version" tifffile==2026.3.3 2> /dev/null
	(cd "$folder" && env/bin/python look.py "$version")
done
