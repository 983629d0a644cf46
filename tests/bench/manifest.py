"""What follows from the records of a million pairs, written anew: seconds and peak memory, by parts.

Writes valid records of 33,334 sequences of 30 pairs, no two alike, with pictures for the contact sheet alone, into a
temporary folder (1.1 GB, and 2.4 GB of what is made of them). Each measurement has a process of its own.
`python -m tests.bench.manifest [--sequences N] [--folder DIR]`
"""

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from lolblur_synth.config.about import About
from lolblur_synth.dataset.about import write_about
from lolblur_synth.dataset.derived import write_derived
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, image_path, record_path
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.record_reader import each_record, read_records
from lolblur_synth.dataset.records import BlurRecord, SequenceRecord
from lolblur_synth.run.made import all_made
from lolblur_synth.video.images import write_png
from tests.support.staged import SOURCE, STATISTICS, pair, record

_PAIRS, _SEQUENCES = 30, 10  # of a sequence, of a video
_ABOUT = About(
    name="Nights", description="Many.", license="cc-by-4.0", creators=["Ada Example"], url="https://example.org/nights",
    published="2026-11-30", data_limitations="Synthetic.", data_biases="One.", personal_sensitive_information="None.",
    data_use_cases="Restoration.", data_social_impact="None known.",
)  # fmt: skip


def make_record(index: int, rng: np.random.Generator) -> SequenceRecord:
    """One of many sequences: hashes, draws and measurements of its own."""
    video, sequence = divmod(index, _SEQUENCES)
    pairs = []
    for number in range(1 + _PAIRS * sequence, 1 + _PAIRS * (sequence + 1)):
        hashes = {folder: hashlib.sha256(f"{index}/{number}/{folder}".encode()).hexdigest() for folder in FOLDERS}
        values = rng.random(8).round(4).tolist()
        plain = pair(number, hashes)
        blur = BlurRecord(20 * values[0], 30 * values[1], 179 * values[2], values[3], values[4])
        statistics = {name: value + 20 * values[5] for name, value in STATISTICS.items()}
        pairs.append(
            replace(
                plain, blur=blur, statistics=statistics, psnr=20 + 20 * values[6], psnr_in_light=15 + 20 * values[7]
            )
        )
    source = SOURCE.model_copy(update={"name": f"{video}.mp4", "content": f"{video:064x}"})
    draws = replace(record().draws, exposure=round(0.05 + 0.1 * rng.random(), 4))
    split = "train" if video % 10 else "test"
    return record(video, sequence, pairs=pairs, source=source, draws=draws, split=split, fingerprint=f"{index:064x}")


def make(root: Path, sequences: int) -> None:
    """Write the records, settings, and the pictures that a contact sheet asks for."""
    (root / "records").mkdir(parents=True)
    (root / SETTINGS).write_text("seed: 0\n")
    write_about(root, _ABOUT)
    rng = np.random.default_rng(0)
    for index in range(sequences):
        made = make_record(index, rng)
        record_path(root, made.id).write_bytes(made.as_json())
    names = sorted(path.stem for path in (root / "records").iterdir())
    for name in names[:: max(1, sequences // 6)][:6]:
        video, sequence = map(int, name.split("-"))
        for folder in FOLDERS:
            number = 1 + _PAIRS * sequence + _PAIRS // 2
            path = root / image_path("train" if video % 10 else "test", folder, video, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, np.full((64, 112, 3), 40, np.uint8))
    for split in ("train", "test"):
        (root / split).mkdir(exist_ok=True)


def count(root: Path) -> None:
    """Read and check every record, and keep none."""
    assert sum(len(each.pairs) for each in each_record(root))


WORKS = {
    "records read, one after the other": count,
    "manifest": lambda root: write_manifest(root, each_record(root)),
    "manifest, metadata, card, croissant": lambda root: write_derived(root, _ABOUT),
    "records read, and kept of them what a run needs": lambda root: all_made(each_record(root)),
    "records read and kept": read_records,
}


def measure(root: Path, work: str) -> str:
    """Do one of the works in a process of its own, which tells what it took."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.manifest", "--do", work, "--folder", str(root)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


def do(root: Path, work: str) -> None:
    """One of the works: seconds by the clock and of the processor, and peak memory."""
    start, before = time.perf_counter(), time.process_time()
    WORKS[work](root)
    wall, spent = time.perf_counter() - start, time.process_time() - before
    print(f"{work} | {wall:.1f} | {spent:.1f} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}")


def main() -> None:
    """Make the records, measure, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=33_334)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--do", choices=WORKS)
    arguments = parser.parse_args()
    if arguments.do:
        do(arguments.folder, arguments.do)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        root = Path(folder, "dataset")
        make(root, arguments.sequences)
        size = sum(path.stat().st_size for path in (root / "records").iterdir())
        print(f"{arguments.sequences} records of {_PAIRS} pairs, {size / 1e9:.2f} GB")
        print("what | s | s of one core | peak GiB")
        for work in WORKS:
            print(measure(root, work), flush=True)


if __name__ == "__main__":
    main()
