#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1): imagefolder with metadata.jsonl in train/ and in test/ is refused when a column of
# names looks like dates in one split: JSON's strings "2026-11-30" become timestamps, "2026-11-30 21" too, and types are
# taken from each split by itself ("have different features"). Where both look so, the names come back as datetimes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1 pillow==13.0.0 2> /dev/null
cd "$folder"
cat > look.py << 'PYTHON'
import json
from pathlib import Path

import datasets
from PIL import Image

datasets.disable_progress_bars()


def load(**names):
    root = Path("_".join(names.values()).replace(" ", "-"))
    for split, name in names.items():
        (root / split).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(root / split / "1.png")
        (root / split / "metadata.jsonl").write_text(json.dumps({"file_name": "1.png", "source": name}) + "\n")
    try:
        return load_type(root)
    except ValueError as error:
        return "have different features" in str(error) and "refused"


def load_type(root):
    found = datasets.load_dataset("imagefolder", data_dir=str(root), cache_dir="cache")
    return type(found["train"][0]["source"]).__name__


print(load(train="a.mp4", test="b.mp4"), load(train="a.mp4", test="2026-11-30"), load(train="2026-11-30 21", test="2026-11-30"))
PYTHON
HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_HOME=$folder/home env/bin/python look.py | tee told
[ "$(cat told)" = "str refused datetime" ]
