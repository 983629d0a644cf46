#!/usr/bin/env bash
# Light of Radiance pictures (.hdr): the same file holds other radiances for each reader (OpenCV 5.0.0, OpenImageIO
# 3.2.2, Radiance's own pvalue of pyradiance 1.3.1).
# - EXPOSURE= lines say what pixels were multiplied by, each anew, so that radiance is pixels over the product of all.
#   pvalue -o divides by it. OpenCV reads past them and tells nobody: values are 8 times too high. OpenImageIO leaves the
#   pixels as well and has an attribute, hdr:exposure, but of the last line only: whoever divides by it is off by 4.
# - COLORCORR= lines, the same for each channel, both read past, without an attribute.
# - Of a pixel's bytes, Radiance takes the middle of the step, (m + 0.5) / 256, OpenCV and OpenImageIO its lower end: a
#   channel of a 64th of the brightest is 20 % darker there. What OpenCV has written is too dark for itself, too, as it
#   rounds down besides, and right on average for Radiance.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet opencv-python-headless==5.0.0.93 numpy==2.4.6 OpenImageIO==3.2.2.0 \
	pyradiance==1.3.1 2> /dev/null
cd "$folder"
cat > read.py << 'PYTHON'
import subprocess
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio
import pyradiance

PVALUE = Path(pyradiance.__file__).parent / "bin/pvalue"


def by_opencv(path: str) -> np.ndarray:
    return cv2.imread(path, cv2.IMREAD_UNCHANGED)[..., ::-1]


def by_openimageio(path: str) -> tuple[np.ndarray, float | None]:
    picture = oiio.ImageInput.open(path)
    return picture.read_image(), picture.spec().get("hdr:exposure")


def by_radiance(path: str) -> np.ndarray:
    told = subprocess.run([PVALUE, "-h", "-H", "-o", path], capture_output=True, text=True, check=True).stdout
    return np.array([line.split()[2:] for line in told.splitlines()], float)


def told(name: str, lines: str, pixel: bytes) -> None:
    Path("a.hdr").write_bytes(f"#?RADIANCE\n{lines}FORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 2\n".encode() + pixel * 4)
    image, exposure = by_openimageio("a.hdr")
    values = [by_opencv("a.hdr")[0, 0], image[0, 0], by_radiance("a.hdr")[0]]
    words = (" ".join(f"{value:.4f}" for value in each) for each in values)
    print(f"{name}: " + " | ".join(f"{who} {word}" for who, word in zip(("cv2", "oiio", "pvalue"), words)), exposure)


told("plain", "", bytes([128, 64, 2, 129]))
told("exposed", "EXPOSURE=4\nEXPOSURE=2\n", bytes([128, 64, 2, 129]))
told("corrected", "COLORCORR=2 1 0.5\n", bytes([128, 64, 2, 129]))
light = np.random.default_rng(0).uniform(0.001, 1, (256, 256, 3)).astype(np.float32)
cv2.imwrite("b.hdr", light)
for name, read in (("cv2", by_opencv), ("pvalue", by_radiance)):
    print(f"written by cv2, read by {name}: {100 * (read('b.hdr').mean() / light.mean() - 1):+.2f} % of the mean")
PYTHON
env/bin/python read.py | tee found
grep -qx "plain: cv2 1.0000 0.5000 0.0156 | oiio 1.0000 0.5000 0.0156 | pvalue 1.0040 0.5039 0.0195 None" found
grep -qx "exposed: cv2 1.0000 0.5000 0.0156 | oiio 1.0000 0.5000 0.0156 | pvalue 0.1255 0.0630 0.0024 2.0" found
grep -qx "corrected: cv2 1.0000 0.5000 0.0156 | oiio 1.0000 0.5000 0.0156 | pvalue 0.5020 0.5039 0.0391 None" found
grep -qx "written by cv2, read by cv2: -0.36 % of the mean" found
grep -qx "written by cv2, read by pvalue: +0.00 % of the mean" found
