"""Peak memory of a process is its own."""

import subprocess
import sys

from lolblur_synth.core.memory import peak_memory


def test_what_was_used_once_is_told_for_good():
    before = peak_memory()
    size = 64 << 20
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])
    del block
    assert before + size * 0.9 < peak_memory() < before + size * 2 or before > 2 * size


def test_a_small_process_of_a_large_one_tells_its_own():
    """`getrusage` does not: it tells that of the process that started it, over exec."""
    tell = "from lolblur_synth.core.memory import peak_memory; print(peak_memory())"
    grow = f"block = b'x' * (300 << 20); import subprocess, sys; subprocess.run([sys.executable, '-c', {tell!r}])"
    told = subprocess.run([sys.executable, "-c", grow], capture_output=True, text=True, check=True).stdout
    assert 0 < int(told) < 200 << 20
