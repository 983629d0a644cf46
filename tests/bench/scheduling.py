"""Dask's own scheduler with sequences that only sleep: what it costs per sequence, by the number of workers.

All workers live in one process, one thread each, and speak to a scheduler over TCP on loopback or within the process;
so their own time is counted too, and the figures are above those of workers elsewhere. A task carries what a task of a
run carries and gives back a name. `python -m tests.bench.scheduling [--workers 10 ...] [--sequences-each 5]`
"""

import argparse
import asyncio
import logging
import resource
import time
from contextlib import AsyncExitStack

from distributed import Client, Scheduler, Worker

_PAYLOAD = bytes(4000)  # of a planned sequence


def make(name: str, payload: bytes, seconds: float) -> str:
    """Stand in for a sequence: sleep, and give back its name."""
    assert len(payload) == len(_PAYLOAD)
    time.sleep(seconds)
    return name


async def measure(workers: int, sequences: int, protocol: str, seconds: float) -> tuple[float, float, float]:
    """Seconds to start, seconds of one core per sequence, and seconds by the clock over those of sleeping."""
    async with AsyncExitStack() as stack:
        began = time.perf_counter()
        place = {"host": "127.0.0.1"} if protocol == "tcp" else {}
        scheduler = await stack.enter_async_context(
            Scheduler(protocol=f"{protocol}://", port=0, dashboard=False, dashboard_address=":0", **place)
        )
        await asyncio.gather(
            *(
                stack.enter_async_context(Worker(scheduler.address, nthreads=1, memory_limit=0, dashboard=False))
                for _ in range(workers)
            )
        )
        client = await stack.enter_async_context(Client(scheduler.address, asynchronous=True))
        started = time.perf_counter() - began
        spent, began = time.process_time(), time.perf_counter()
        futures = client.map(
            make, [f"{number:06d}" for number in range(sequences)], payload=_PAYLOAD, seconds=seconds, pure=False
        )
        names = await client.gather(futures)
        assert len(set(names)) == sequences
        wall = time.perf_counter() - began
        return started, (time.process_time() - spent) / sequences, wall / (sequences * seconds / workers)


def main() -> None:
    """Measure each number of workers; print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 30, 100, 300, 1000])
    parser.add_argument("--sequences-each", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--protocol", choices=["inproc", "tcp"], default="inproc")
    arguments = parser.parse_args()
    logging.getLogger("distributed").setLevel(logging.ERROR)
    print("workers | sequences | s to start | ms of one core a sequence | time over sleeping | peak GiB")
    for workers in arguments.workers:
        sequences = workers * arguments.sequences_each
        started, each, over = asyncio.run(measure(workers, sequences, arguments.protocol, arguments.seconds))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{workers} | {sequences} | {started:.1f} | {1000 * each:.2f} | {over:.2f} | {memory:.2f}", flush=True)


if __name__ == "__main__":
    main()
