#!/usr/bin/env bash
# torch 2.13.0: the compiled gradient of F.pad(mode="replicate") raises an AssertionError for images that lie channels-last:
# replication_pad2d_backward promises a contiguous layout and gives another one. Eager torch trains the same function, and
# compiled reflection padding works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 2> /dev/null
cd "$folder"
export TORCHINDUCTOR_CACHE_DIR="$folder/cache"
cat > pad.py << 'PYTHON'
import torch
import torch.nn.functional as F


def gradient(mode: str, compiled: bool) -> str:
    def padded(x: torch.Tensor) -> torch.Tensor:
        return F.pad(2 * x, (2, 2, 2, 2), mode=mode).square().sum()

    x = torch.rand(2, 4, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    try:
        (torch.compile(padded) if compiled else padded)(x).backward()
    except AssertionError as error:
        return "AssertionError: " + next(line for line in str(error).splitlines() if "Error in op" in line)
    return "trains"


for mode in ("replicate", "reflect"):
    print(f"{mode}, eager: {gradient(mode, False)}; compiled: {gradient(mode, True)}", flush=True)
PYTHON
env/bin/python pad.py 2> /dev/null | tee found
grep -q "^replicate, eager: trains; compiled: AssertionError: .*replication_pad2d_backward" found
grep -q "^reflect, eager: trains; compiled: trains" found
