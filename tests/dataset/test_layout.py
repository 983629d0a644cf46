import numpy as np
import pytest
import torch

from lolblur_synth.dataset.layout import FOLDERS, image_path, pair_paths
from lolblur_synth.dataset.statistics import measure
from lolblur_synth.video.contact_sheet import contact_sheet
from lolblur_synth.video.images import write_png


def test_layout_and_its_reader(tmp_path):
    for folder in FOLDERS:
        for number in (2, 1):
            path = tmp_path / image_path("test", folder, 12, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, np.zeros((4, 4, 3), np.uint8))
    pairs = list(pair_paths(tmp_path, "test"))
    assert [str(pair["low_blur"].relative_to(tmp_path)) for pair in pairs] == [
        "test/low_blur/0012/0001.png",
        "test/low_blur/0012/0002.png",
    ]
    assert all(path.is_file() for pair in pairs for path in pair.values())
    assert list(pair_paths(tmp_path, "train")) == []


def test_measures_of_a_flat_picture():
    found = measure(torch.full((3, 32, 32), 0.5))
    assert found["mean"] == pytest.approx(127.5)
    assert found["lightness"] == pytest.approx(53.389, abs=1e-2)
    assert found["p99_grey"] == pytest.approx(127.5, abs=1e-3)
    assert found["saturated"] == 0
    assert found["noise_sigma"] == pytest.approx(0, abs=1e-4)


def test_measures_of_saturation_and_noise():
    image = torch.full((3, 100, 100), 0.1)
    image[0, :10, :10] = 250 / 255
    assert measure(image)["saturated"] == pytest.approx(1.0)
    noise = torch.randn(3, 200, 200, generator=torch.Generator().manual_seed(0))
    assert measure(0.5 + 2 / 255 * noise)["noise_sigma"] == pytest.approx(2, rel=0.03)


def test_contact_sheet_shows_every_picture_in_its_place():
    rows = [[np.full((20, 40, 3), 10 * r + c, np.uint8) for c in range(4)] for r in range(2)]
    sheet = contact_sheet(rows, width=40, gap=2)
    assert sheet.shape == (2 + 2 * 22, 2 + 4 * 42, 3)
    assert [int(sheet[12 + 22 * r, 20 + 42 * c, 0]) for r in range(2) for c in range(4)] == [0, 1, 2, 3, 10, 11, 12, 13]


def test_contact_sheet_of_sixteen_bit_pictures():
    assert contact_sheet([[np.full((8, 8, 3), 257 * 77, np.uint16)]], width=8)[8, 8, 0] == 77
