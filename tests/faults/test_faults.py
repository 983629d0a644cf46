"""A small part of `make faults`."""

import subprocess
import sys


def test_faults_cost_nothing_and_touch_nothing():
    done = subprocess.run([sys.executable, "-m", "tests.faults", "0.03"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
