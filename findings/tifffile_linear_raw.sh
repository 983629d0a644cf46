#!/usr/bin/env bash
# Demosaiced ("linear") DNG by tifffile: the same call writes one picture or as many as it has rows, by its version.
#
# tifffile.imwrite(path, rgb of (H, W, 3), photometric=34892), which is DNG's LinearRaw: 2026.3.3 writes one page of W x H
# with three samples a pixel; 2026.11.8 takes the array for H pages of 3 x W with one sample, so that LibRaw says
# "Unsupported file format or not RAW file" of what it read before. With planarconfig="contig" both write the one page.
# 2026.11.8 needs Python 3.12.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" << 'PYTHON'
import sys

import numpy as np
import rawpy
import tifffile

rgb = np.random.default_rng(0).integers(0, 4000, (64, 96, 3)).astype(np.uint16)
dng = [(50706, "B", 4, bytes((1, 4, 0, 0)), True)]  # DNGVersion


def seen(**options):
    tifffile.imwrite("picture.dng", rgb, photometric=34892, extratags=dng, **options)
    with tifffile.TiffFile("picture.dng") as file:
        shape = len(file.pages), file.pages[0].shape
    try:
        with rawpy.imread("picture.dng") as raw:
            return *shape, raw.raw_type.name
    except rawpy.LibRawError as error:
        return *shape, type(error).__name__


plain, told = seen(), seen(planarconfig="contig")
print(tifffile.__version__, "as it is:", plain, "with planarconfig:", told)
assert told == (1, (64, 96, 3), "Stack")
assert plain == (told if sys.argv[1] == "2026.3.3" else (64, (96, 3), "LibRawFileUnsupportedError"))
PYTHON
for version in 2026.3.3 2026.11.8; do
	"${PYTHON:-python3.12}" -m venv --clear "$folder/env"
	"$folder/env/bin/pip" install --quiet "tifffile==$version" rawpy==0.28.0 2> /dev/null
	(cd "$folder" && env/bin/python look.py "$version")
done
