"""The door for Python: six names, loaded when they are asked for, enough to make a dataset and to read it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lolblur_synth as lb
from lolblur_synth.core.errors import UserError
from tests.support.footage import film

OVERRIDES = [
    "video.size=[64,64]", "sequences.pairs=2", "sequences.min_pairs=2", "sequences.per_video=1",
    "denoise.backend=none", "defocus.probability=0", "interpolate.backend=linear", "interpolate.fps=500",
]  # fmt: skip


def test_a_dataset_is_made_and_read(tmp_path: Path):
    film(tmp_path / "clips/a.mkv", frames=60, seed=1)
    config = lb.load_config("paper", overrides=OVERRIDES)
    assert config.average.space == "srgb"
    plan = lb.plan_run(tmp_path / "clips", tmp_path / "dataset", config)
    assert lb.execute(plan).made == ("0000-0",)
    pairs = list(lb.read_dataset(tmp_path / "dataset"))
    assert [(pair.name, pair.split) for pair in pairs] == [("0000/0001", "train"), ("0000/0002", "train")]
    assert list(lb.read_dataset(str(tmp_path / "dataset"), "test")) == []
    images = [pairs[0].read(folder) for folder in pairs[0].paths]
    assert {tuple(image.shape) for image in images} == {(3, 64, 64)}
    assert pairs[0].sequence.draws == plan.sequences[0].recipe.draws
    assert float(images[-1].mean()) > float(pairs[0].read().mean())
    assert torch.equal(pairs[0].read("low_blur_noise"), pairs[0].read())


def test_faults_are_told_in_the_words_of_python(tmp_path):
    with pytest.raises(UserError, match=r"not a dataset made by lolblur-synth run") as told:
        list(lb.read_dataset(tmp_path))
    assert told.value.where == tmp_path
    with pytest.raises(UserError) as told:
        lb.load_config("none of them")
    assert "--" not in str(told.value)
    (tmp_path / "clips").mkdir()
    with pytest.raises(UserError, match="no video in it or below"):
        lb.plan_run(tmp_path / "clips", tmp_path / "d", lb.load_config())
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        lb.nothing  # noqa: B018


def test_every_name_can_be_had_and_the_import_loads_nothing():
    assert {name for name in lb.__all__ if callable(getattr(lb, name))} == set(lb.__all__) - {"__version__"}
    heavy = "{'torch', 'cv2', 'numpy', 'pydantic', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"import sys, lolblur_synth; assert not {heavy}"], check=True)
