from pathlib import Path

import numpy as np
import pytest

from lolblur_synth.video.images import write_png


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Five small pictures with a lamp each, in a folder and one below it."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(5):
        coarse = rng.integers(40, 200, size=(9, 12, 3), dtype=np.uint8)
        pixels = np.kron(coarse, np.ones((10, 10, 1), np.uint8))  # 90 x 120
        pixels[20:30, 50:60] = 255
        write_png(folder / ("more" if number == 4 else "") / f"{number}.png", pixels)
    return folder
