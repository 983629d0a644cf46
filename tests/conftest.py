"""One thread per operator in tests: waiting for each other costs more than such small pictures take."""

import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import torch
from hypothesis import settings

from lolblur_synth.video import scan_cache

pytest_plugins = ["tests.support.fixtures", "tests.support.object_store"]
settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile("same every time")
torch.set_num_threads(1)
cv2.setNumThreads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

_EVERYWHERE = ("video/", "cli/test_main.py", "kernels/test_jit_cache.py", "test_package.py", "run/test_run.py")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is tried on other Pythons, and with the oldest and the newest packages."""
    if str(item.path.relative_to(Path(__file__).parent)).startswith(_EVERYWHERE):
        item.add_marker("everywhere")


@pytest.fixture(scope="session", autouse=True)
def scans(tmp_path_factory) -> Iterator[None]:
    """Scans are kept for the time of the tests alone."""
    place = tmp_path_factory.mktemp("scans")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_cache, "folder", lambda: place)
        yield
