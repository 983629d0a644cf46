#!/usr/bin/env bash
# torch 2.13.0: inference_mode() and no_grad() as decorators of a generator hold each tensor that was yielded until the
# next one is made, whatever the consumer and the generator let go of: a stream of large tensors takes one more of them
# than without. The same generator under a `with` around its body, or around each step, does not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 2> /dev/null
cd "$folder"
cat > stream.py << 'PYTHON'
import weakref

import torch


def alive(decorate) -> int:
    """How many tensors of a stream are alive while the third is made."""
    made = weakref.WeakSet()

    @decorate
    def stream():
        for _ in range(3):
            found.append(len(made))
            made.add(box := torch.zeros(4))
            yield box
            del box

    found = []
    for tensor in stream():
        del tensor
    return found[-1]


def body(generator):
    def stream():
        with torch.inference_mode():
            yield from generator()

    return stream


for name, decorate in (
    ("undecorated", lambda generator: generator),
    ("with", body),
    ("inference_mode", torch.inference_mode()),
    ("no_grad", torch.no_grad()),
):
    print(f"{name}: {alive(decorate)} alive", flush=True)
PYTHON
env/bin/python stream.py 2> /dev/null | tee found
grep -qx "undecorated: 0 alive" found
grep -qx "with: 0 alive" found
grep -qx "inference_mode: 1 alive" found
grep -qx "no_grad: 1 alive" found
