#!/usr/bin/env bash
# Photron's high-speed recordings (.cih and .mraw) by pyMRAW 0.33.0: the header tells where the 12 bits lie, nobody looks.
#
#   - "EffectiveBit Side : Higher" (samples in the upper bits) is accepted, and the samples come 16 times too large.
#   - save_mraw of float pictures in [0, 1] writes zeros, without a word; -1 becomes 65535.
#   - save_mraw of full 16-bit samples writes "EffectiveBit Depth : 12, Lower"; of 8 bits a file that load_video warns of.
#   - a shutter told as 1/1000 stays text where other shutters are numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet pyMRAW==0.33.0 2> /dev/null
cd "$folder"
env/bin/python - << 'PYTHON'
import warnings

import numpy as np
import pyMRAW

warnings.simplefilter("always")
told = []
warnings.showwarning = lambda message, *_: told.append(str(message))
codes = (np.arange(4 * 6 * 8).reshape(4, 6, 8) * 21).astype(np.uint16)  # of 12 bits


def there_and_back(name, pictures, bits=16, **header):
    pyMRAW.save_mraw(pictures, f"out/{name}.cih", bits, info_dict={k.replace("_", " "): v for k, v in header.items()})
    return pyMRAW.load_video(f"out/{name}.cih")


read, header = there_and_back("upper", codes << 4, EffectiveBit_Side="Higher")
factor = read[1:] / codes[1:]
print("12 bits on the higher side, read as times what they are:", factor.min(), factor.max(), "; warnings:", told)
assert (factor == 16).all() and not told
read, _ = there_and_back("float", np.full((2, 4, 4), 0.75, np.float32))
print("0.75 comes back as", read.max())
assert read.max() == 0
read, _ = there_and_back("negative", np.full((2, 4, 4), -1, np.int16))
print("-1 comes back as", read.max())
assert read.max() == 65535
_, header = there_and_back("full", np.full((2, 4, 4), 60000, np.uint16))
print("60000 is said to be of bits", header["EffectiveBit Depth"], header["EffectiveBit Side"])
assert (header["EffectiveBit Depth"], header["EffectiveBit Side"]) == (12, "Lower") and not told
there_and_back("eight", np.full((2, 4, 4), 200, np.uint8), bits=8)
print("of its own 8-bit file it says", told)
assert told == ["Not 12bit image!"]
_, header = there_and_back("shutter", codes, **{"Shutter Speed(s)": "1/1000"})
print("shutter", repr(header["Shutter Speed(s)"]))
assert header["Shutter Speed(s)"] == "1/1000"
PYTHON
