"""Footage that several files of tests run on."""

from pathlib import Path

import pytest

from tests.support.footage import film


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> Path:
    """Two clips of two sequences each, which no test changes."""
    folder = tmp_path_factory.mktemp("videos")
    film(folder / "a.mkv", seed=1)
    film(folder / "b.mkv", seed=2)
    return folder
