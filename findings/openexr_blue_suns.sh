#!/usr/bin/env bash
# OpenEXR 3.5.3: a light that overflows half floats in some channels changes its colour in files that B44, B44A, DWAA or
# DWAB compress. An infinite sample becomes 0, channel by channel, so a sun of infinite red and green and finite blue is
# pure blue afterwards; ZIP, PIZ and PXR24 keep the infinities. Found in the wild: in two of the eighteen CC0
# panoramas of the npm package @pmndrs/assets 1.7.0 (park, sunrise; DWAB) the brightest pixel is (0, 0, 11800) and
# (0, 0, 15008). Whoever scales such a panorama to a night has blue lamps; nothing in the file tells of it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet OpenEXR==3.5.3 numpy==2.4.0 2> /dev/null
cd "$folder"
cat > suns.py << 'PYTHON'
import numpy as np
import OpenEXR

light = np.full((64, 64, 3), 0.5, np.float16)
light[16:32, 16:32] = [np.inf, np.inf, 15000]
for name in ("ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"):
    header = {"compression": getattr(OpenEXR, f"{name}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": light.copy()}).write(f"{name}.exr")
    red, green, blue = OpenEXR.File(f"{name}.exr").channels()["RGB"].pixels[24, 24].astype(float)
    kept = "infinite" if np.isinf([red, green]).all() else "0" if max(abs(red), abs(green)) < 1e-5 else "other"
    print(f"{name}: red and green {kept}, blue {round(blue, -3):.0f}")
PYTHON
env/bin/python suns.py | tee told
[ "$(cat told)" = "$(
	for name in ZIP PIZ PXR24; do echo "$name: red and green infinite, blue 15000"; done
	for name in B44 B44A DWAA DWAB; do echo "$name: red and green 0, blue 15000"; done
)" ]
if command -v npm > /dev/null; then
	npm pack --silent @pmndrs/assets@1.7.0 > /dev/null
	tar xzf ./*.tgz
	cat > panoramas.py << 'PYTHON'
import base64
from pathlib import Path

import OpenEXR

for path in sorted(Path("package").rglob("*.exr.js")):
    Path("one.exr").write_bytes(base64.b64decode(path.read_text().split("base64,")[1].rstrip("';\n\"`")))
    pixels = OpenEXR.File("one.exr").channels()["RGB"].pixels.astype(float)
    brightest = pixels.reshape(-1, 3)[pixels.max(2).argmax()]
    if abs(brightest[:2]).max() < 1e-5:
        print(f"{path.name.partition('.')[0]}: {brightest[2]:.0f}")
PYTHON
	env/bin/python panoramas.py | tee told
	[ "$(cat told)" = "$(printf 'park: 11800\nsunrise: 15008')" ]
fi
