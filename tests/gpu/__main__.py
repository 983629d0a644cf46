"""What a CUDA device makes beside the CPU, and how fast: `python -m tests.gpu [--out FILE]`, or `make gpu`.

Two halves of one table. On the CPU everything runs against plain torch, in float64 where it can; on CUDA against the
same reference. Where there is no CUDA device it says so, and the table has the CPU half. Operators and networks one by
one, the whole chain on an analytic scene, steps of training in float32, bfloat16 and compiled, LEDNet beside its plain
form, memory. Nothing is fetched. Ends with 1 where a limit does not hold.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from lolblur_synth.core.files import write_text
from tests.gpu import chain, networks, operators, training
from tests.gpu.rows import Row, markdown

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Size:
    """How large everything is; sides of pictures are height and width."""

    operators: tuple[int, int] = (96, 160)
    networks: tuple[int, int] = (64, 96)
    chain: tuple[int, int] = (96, 160)
    preset: str = "fast"
    lednet: tuple[int, int] = (256, 448)
    channels: tuple[int, ...] = (16, 16, 32, 32)
    crop: int = 64
    steps: int = 8
    repeats: int = 2
    kinds: tuple[str, ...] = ("float32", "bfloat16")  # to compile takes minutes on a processor


ON_CPU = Size()
ON_CUDA = Size(
    lednet=(640, 1120), channels=(32, 64, 128, 128), crop=256, steps=40, repeats=10, kinds=tuple(training.KINDS)
)


def table(devices: list[torch.device], size: Size, fast: Size) -> Iterator[Row]:
    """All rows; on CUDA, speed is measured at the sizes of `fast`."""
    yield from operators.rows(size.operators, devices)
    yield from networks.rows(size.networks, devices)
    yield from chain.rows(size.chain, devices, size.preset)
    for device in devices:
        own = size if device.type == "cpu" else fast
        yield from training.rows(device, own.channels, own.crop, own.steps, list(own.kinds))
        yield from networks.speed(own.lednet, device, own.repeats)


def describe() -> list[Row]:
    """What it ran on."""
    rows = [Row("machine", "torch", "cpu", f"{torch.__version__}, {torch.get_num_threads()} threads")]
    if torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        rows.append(Row("machine", "device", "cuda", f"{found.name}, {found.total_memory / 2**30:.0f} GiB"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/gpu.md"), help="file of the table")
    out = parser.parse_args().out
    devices = [CPU, *([torch.device("cuda", 0)] if torch.cuda.is_available() else [])]
    if len(devices) == 1:
        print("no CUDA: the half of the CPU alone")
    rows, start = describe(), time.perf_counter()
    for row in table(devices, ON_CPU, ON_CUDA):
        rows.append(row)
        print(f"{time.perf_counter() - start:5.0f} s  {' | '.join(row.cells())}", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, markdown(rows))
    wrong = [row for row in rows if row.holds is False]
    print(f"{out}: {len(rows)} rows, {len(wrong)} beyond their limits")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
