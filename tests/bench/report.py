"""What a report costs: seconds, memory and bytes of the page, its first paint, and memory of the browser, as a table.

Of a dataset of so many pairs, which are those of a small real one again and again, under new numbers of videos: its
pictures are linked, its records say the new numbers. Without one, the demo's is made at 1120x640.
`python -m tests.bench.report [--dataset DIR] [--pairs 1000 12000] [--work DIR]`
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from lolblur_synth.dataset.layout import record_path
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.settings import write_settings
from tests.support.browser import address, chromium

SCROLL = """
window.most = 0;
const step = () => {
  const before = scrollY;
  window.most = Math.max(window.most, document.images.length);
  scrollBy(0, innerHeight * 0.8);
  if (scrollY === before) window.over = true;
  else requestAnimationFrame(() => setTimeout(step, 10));
};
step();
"""


def multiply(small: Path, root: Path, pairs: int) -> int:
    """A dataset of at least so many pairs: those of a small one, with videos numbered on; how many there are."""
    records = list(read_records(small).values())
    write_settings(root, records[0].config)
    videos = 1 + max(record.video for record in records)
    made, count = dict[str, SequenceRecord](), 0
    for copy in range(10_000 // videos):
        for record in records:
            video = record.video + copy * videos
            new = record.model_copy(update={"video": video, "id": f"{video:04d}-{record.sequence}"})
            for (source, _), (target, _) in zip(record.images(), new.images(), strict=True):
                (root / target).parent.mkdir(parents=True, exist_ok=True)
                os.link(small / source, root / target)
            path = record_path(root, new.id)
            path.parent.mkdir(exist_ok=True)
            path.write_text(new.model_dump_json(indent=1) + "\n")
            made[new.id] = new
            count += len(new.pairs)
            if count >= pairs:
                write_manifest(root, dict(sorted(made.items())).values())
                return count
    return count


def measure_report(dataset: Path, out: Path) -> str:
    """Row of what it costs to make: seconds, seconds of the processor, memory."""
    code = (
        "import resource, sys\n"
        "from lolblur_synth.cli.main import answer\n"
        "code = answer()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "sys.exit(code)\n"
    )
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", code, "report", str(dataset), "--out", str(out), "--overwrite"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{wall:.1f} | {spent:.1f} | {int(told.split()[-1]) / 1e3:.0f} | {out.stat().st_size / 1e6:.1f}"


def measure_browser(page: Path) -> str:
    """Row of what it costs to look at: first paint, memory of all processes, pictures in the document at most."""
    with chromium() as driver:
        blank = _memory(driver.service.process.pid)
    with chromium() as driver:
        driver.get(address(page))
        paint = driver.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
        loaded = driver.execute_script("return performance.timing.loadEventEnd - performance.timing.navigationStart")
        opened = _memory(driver.service.process.pid)
        driver.execute_script(SCROLL)
        peak = opened
        while not driver.execute_script("return window.over"):
            peak = max(peak, _memory(driver.service.process.pid))
            time.sleep(0.5)
        memory = " | ".join(f"{each / 1e6:.0f}" for each in (blank, opened, peak, _memory(driver.service.process.pid)))
        images = driver.execute_script("return window.most")
    return f"{paint / 1e3:.2f} | {loaded / 1e3:.2f} | {memory} | {images}"


def _memory(driver: int) -> int:
    """Proportional set size of the browser's processes, bytes."""
    total = 0
    for each in psutil.Process(driver).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # some end meanwhile
            total += each.memory_full_info().pss
    return total


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1000, 12_000])
    parser.add_argument("--work", type=Path, help="folder for datasets and pages; a temporary one otherwise")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        work = Path(folder)
        if given.dataset is None:
            command = [sys.executable, "-m", "lolblur_synth", "demo", "--out", str(work / "demo")]
            subprocess.run([*command, "--set", "video.size=[1120,640]"], check=True, capture_output=True)
        print("pairs | s | CPU s | MB | page MB | first paint s | loaded s | ", end="")
        print("browser MB: empty | opened | most while scrolling | at the end | img")
        for pairs in given.pairs:
            dataset, page = work / str(pairs), (given.work or work) / f"report-{pairs}.html"
            dataset.mkdir()
            count = multiply(given.dataset or work / "demo/dataset", dataset, pairs)
            print(f"{count} | {measure_report(dataset, page)} | {measure_browser(page)}", flush=True)


if __name__ == "__main__":
    main()
