"""Dask's own scheduler with sequences that only sleep: what it costs per sequence, by the number of workers.

All workers live in one process, with the scheduler and the client, so that the seconds are those of
all of them, heartbeats included: more than the scheduler takes alone. What they take with nothing to do is told
beside it. Where that process has less than a core, time over sleeping tells of the machine, not of the scheduler.
A task carries what a task of a run carries and gives back a name.
`python -m tests.bench.scheduling [--workers N ...] [--threads N] [--sequences-each N] [--seconds S] [--protocol tcp]`
"""

import argparse
import asyncio
import logging
import resource
import time
from contextlib import AsyncExitStack

import dask
from distributed import Client, Scheduler, Worker

_IDLE = 10.0  # seconds
_PAYLOAD = bytes(4000)  # of a planned sequence


def make(name: str, payload: bytes, seconds: float) -> str:
    """Stand in for a sequence: sleep, and give back its name."""
    assert len(payload) == len(_PAYLOAD)
    time.sleep(seconds)
    return name


async def measure(workers: int, threads: int, sequences: int, protocol: str, seconds: float) -> tuple[float, ...]:
    """Seconds to start, cores at work when idle, seconds of a core per sequence, seconds over those of sleeping."""
    async with AsyncExitStack() as stack:
        began = time.perf_counter()
        place = {"host": "127.0.0.1"} if protocol == "tcp" else {}
        scheduler = await stack.enter_async_context(
            Scheduler(protocol=f"{protocol}://", port=0, dashboard=False, dashboard_address=":0", **place)
        )
        await asyncio.gather(
            *(
                stack.enter_async_context(Worker(scheduler.address, nthreads=threads, memory_limit=0, dashboard=False))
                for _ in range(workers)
            )
        )
        client = await stack.enter_async_context(Client(scheduler.address, asynchronous=True))
        started = time.perf_counter() - began
        spent, began = time.process_time(), time.perf_counter()
        await asyncio.sleep(_IDLE)
        idle = (time.process_time() - spent) / (time.perf_counter() - began)
        spent, began = time.process_time(), time.perf_counter()
        futures = client.map(
            make, [f"{number:06d}" for number in range(sequences)], payload=_PAYLOAD, seconds=seconds, pure=False
        )
        names = await client.gather(futures)
        assert len(set(names)) == sequences
        wall = time.perf_counter() - began
        each = (time.process_time() - spent) / sequences
        return started, idle, each, wall / (sequences * seconds / (workers * threads))


def main() -> None:
    """Measure each number of workers; print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 30, 100, 300, 1000])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sequences-each", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--protocol", choices=["inproc", "tcp"], default="inproc")
    arguments = parser.parse_args()
    dask.config.set({"distributed.worker.profile.enabled": False})
    logging.disable(logging.CRITICAL)  # that connections close at the end is no news
    print("workers x threads | sequences | s to start | cores, idle | ms a sequence | time over sleeping | peak GiB")
    for workers in arguments.workers:
        sequences = workers * arguments.threads * arguments.sequences_each
        work = measure(workers, arguments.threads, sequences, arguments.protocol, arguments.seconds)
        started, idle, each, over = asyncio.run(work)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        figures = f"{started:.1f} | {idle:.3f} | {1000 * each:.2f} | {over:.2f} | {memory:.2f}"
        print(f"{workers} x {arguments.threads} | {sequences} | {figures}", flush=True)


if __name__ == "__main__":
    main()
