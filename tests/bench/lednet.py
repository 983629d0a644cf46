"""Time and memory of LEDNet, ours and plain: `python tests/bench/lednet.py [--threads N] [--rounds N]`.

Plain is the network as its layers are described, with all kernels of the filter-adaptive convolution in memory at once
(`tests/lednets.py`). Each form works in processes of its own, in turns; seconds are the best of all rounds. Memory is
how much the process's largest size grew while the network ran, and what it was before (Python, torch, compiled code,
weights, images).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))
from lolblur_synth.core.threads import WHILE_TRAINING, keeping_memory
from lolblur_synth.nets.lednet import LEDNet
from tests.support.lednets import plain, plain_forward

FORMS = ("plain", "ours")
TASKS = {"inference": (1, 640, 1120), "training": (2, 256, 256)}  # images, height, width
Network = Callable[[Tensor], tuple[Tensor, Tensor]]


def main() -> None:
    """Parse, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs=3, metavar=("TASK", "FORM", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        torch.set_num_threads(options.threads)
        print(json.dumps(work(*options.only)))
        return
    heads = (17, ""), (9, "seconds"), (8, "CPU s"), (10, "memory"), (10, "before"), (9, "faster"), (11, "of memory")
    print("".join(f"{head:>{width}}" for width, head in (*heads, (10, "differs"))))
    for task in TASKS:
        compare(task, options.threads, options.rounds)


def compare(task: str, threads: int, rounds: int) -> None:
    """Measure both forms at one task, and print a row of each."""
    with tempfile.TemporaryDirectory() as folder:
        files = {form: Path(folder, form) for form in FORMS}
        runs: dict[str, list[dict[str, float]]] = {form: [] for form in FORMS}
        for _ in range(rounds):
            for form in FORMS:
                command = [sys.executable, __file__, "--threads", str(threads), "--only", task, form, str(files[form])]
                runs[form].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        results = {form: torch.load(file) for form, file in files.items()}
    best = {form: {key: min(run[key] for run in runs[form]) for key in runs[form][0]} for form in FORMS}
    differs = max(float((one - other).abs().max()) for one, other in zip(*results.values(), strict=True))
    for form, row in best.items():
        print(
            f"{task:10}{form:7}{row['seconds']:9.2f}{row['cpu']:8.2f}{row['memory']:7.0f} MB{row['before']:7.0f} MB"
            f"{best['plain']['seconds'] / row['seconds']:8.2f}x{row['memory'] / best['plain']['memory']:10.2f}x"
            f"{differs if form != 'plain' else 0:10.1e}",
            flush=True,
        )


def work(task: str, form: str, file: str) -> dict[str, float]:
    """Run one form twice, and keep its outputs (and gradients, relative to the largest of each) in a file."""
    torch.manual_seed(0)
    net = LEDNet() if form == "ours" else plain(LEDNet())
    warm(net)
    count, height, width = TASKS[task]
    dark, sharp = (torch.rand(count, 3, height, width) for _ in range(2))
    if task == "inference" and form == "ours":
        net.to(memory_format=torch.channels_last)  # as it is loaded
    run: Network = net if form == "ours" else lambda images: plain_forward(net, images)
    if task == "inference":
        net.eval().requires_grad_(False)
    before, seconds, cpu = peak(), [], []
    trains = task == "training"
    with keeping_memory(WHILE_TRAINING) if trains and form == "ours" else nullcontext():  # as train-lednet does
        for _ in range(2):
            net.zero_grad()
            start, spent = time.perf_counter(), time.process_time()
            restored, side = run(dark)
            if trains:
                ((restored - sharp).abs().mean() + side.abs().mean()).backward()
            seconds.append(time.perf_counter() - start)
            cpu.append(time.process_time() - spent)
    after = peak()
    gradients = [p.grad / p.grad.abs().max() for p in net.parameters() if p.grad is not None]
    torch.save([restored.detach(), side.detach(), *gradients], file)
    return {"seconds": min(seconds), "cpu": min(cpu), "memory": after - before, "before": before}


def warm(net: LEDNet) -> None:
    """Load what is compiled."""
    restored, _ = net(torch.rand(2, 3, 64, 64))
    restored.mean().backward()


def peak() -> float:
    """The largest size this process had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
