#!/usr/bin/env bash
# DNG by rawpy 0.28.0 (LibRaw 0.22.2): black levels where the active area begins at an odd pixel, packing, and standard error.
#
#   - ActiveArea that begins at an odd row or column is rounded up to the next even one. The mosaic's colours are moved with
#     it, the black levels are not: each site has the level of another one. black_level_per_channel goes by colour, so that
#     both have to be put into rows first to see it. A level that is the same for all sites hides it.
#   - integers that are packed by Deflate (Compression 8) are refused as corrupted, where floats are not.
#   - of a file that is cut off LibRaw writes a line to standard error, beside the exception, and no setting stops it.
#   - `other`, which has the ISO speed, is there from 0.27.0 on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" << 'PYTHON'
import numpy as np
import rawpy
import tifffile

LEVELS = (500, 510, 520, 530)  # of R G / G B


def write(name, area, **options):
    tags = [
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, bytes((0, 1, 1, 2)), True),
        (50706, "B", 4, bytes((1, 4, 0, 0)), True),
        (50713, "H", 2, (2, 2), True),
        (50714, "H", 4, LEVELS, True),
        (50717, "H", 1, 4095, True),
        (50829, "I", 4, area, True),
    ]
    tifffile.imwrite(name, np.full((64, 96), 1000, np.uint16), photometric="CFA", extratags=tags, **options)


def sites(name):
    with rawpy.imread(name) as raw:
        indices = raw.raw_colors_visible[:2, :2].ravel()
        return "".join("RGBG"[index] for index in indices), [raw.black_level_per_channel[index] for index in indices]


write("even.dng", (0, 0, 64, 96))
write("odd.dng", (1, 1, 64, 96))
print("area from (0, 0):", *sites("even.dng"))
print("area from (1, 1):", *sites("odd.dng"), "where blue has 530")
assert sites("even.dng") == ("RGGB", [500, 510, 520, 530])
assert sites("odd.dng") == ("BGGR", [500, 510, 520, 530])
write("packed.dng", (0, 0, 64, 96), compression="zlib")
try:
    rawpy.imread("packed.dng").raw_image
except rawpy.LibRawDataError as error:
    print("integers packed by Deflate:", error)
else:
    raise SystemExit("integers packed by Deflate are read")
with open("even.dng", "rb") as whole, open("cut.dng", "wb") as cut:
    cut.write(whole.read()[:4000])
try:
    rawpy.imread("cut.dng").raw_image
except rawpy.LibRawIOError:
    pass
else:
    raise SystemExit("a file that is cut off is read")
PYTHON
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet rawpy==0.26.1 tifffile==2026.3.3 2> /dev/null
"$folder/env/bin/python" -c 'import rawpy; assert not hasattr(rawpy.RawPy, "other")'
"$folder/env/bin/pip" install --quiet rawpy==0.28.0 2> /dev/null
cd "$folder"
env/bin/python -c 'import rawpy; assert hasattr(rawpy.RawPy, "other"); print("rawpy", rawpy.__version__, "LibRaw", rawpy.libraw_version)'
env/bin/python look.py 2> errors || { cat errors; exit 1; }
echo "standard error: $(cat errors)"
grep -q "cut.dng: Unexpected end of file" errors
