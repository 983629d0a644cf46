from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from lolblur_synth.config.training import TrainECDCE
from lolblur_synth.core.errors import UserError
from lolblur_synth.train.ecdce.crops import Photograph, batch, read_photographs, split, whole
from lolblur_synth.video.images import write_png


def test_reads_every_picture_in_order_with_its_hash(photographs):
    read = read_photographs(photographs, crop=64, long_side=1280)
    assert [p.name for p in read] == ["0.png", "1.png", "2.png", "3.png", "more/4.png"]
    assert read[4].sha256 == sha256((photographs / "more/4.png").read_bytes()).hexdigest()
    assert read[0].pixels.shape == (90, 120, 3)
    assert read[0].pixels.dtype == np.uint8


def test_large_pictures_are_reduced_but_never_below_the_crop(photographs):
    assert read_photographs(photographs, 64, 100)[0].pixels.shape == (75, 100, 3)
    assert read_photographs(photographs, 80, 100)[0].pixels.shape == (80, 107, 3)


def test_sixteen_bits_are_read_as_eight(tmp_path):
    write_png(tmp_path / "deep.png", np.full((64, 64, 3), 51_400, np.uint16))
    assert read_photographs(tmp_path, 64, 1280)[0].pixels[0, 0].tolist() == [200, 200, 200]


def test_faults_name_the_file(photographs, tmp_path):
    with pytest.raises(UserError, match=r"0.png: 120x90 is smaller than the crop of 128"):
        read_photographs(photographs, 128, 1280)
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(UserError, match=r"broken.jpg: not a picture"):
        read_photographs(photographs, 64, 1280)
    with pytest.raises(UserError, match="no such folder"):
        read_photographs(tmp_path / "none", 64, 1280)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no images in it"):
        read_photographs(tmp_path / "empty", 64, 1280)


def test_split_is_by_picture_seeded_and_leaves_something_to_train_on(photographs):
    read = read_photographs(photographs, 64, 1280)
    training, validation = split(read, 0.4, seed=1)
    assert len(validation) == 2
    assert sorted(p.name for p in training + validation) == [p.name for p in read]
    assert [p.name for p in split(read, 0.4, seed=1)[1]] == [p.name for p in validation]
    assert any([p.name for p in split(read, 0.4, seed)[1]] != [p.name for p in validation] for seed in range(5))
    assert split(read, 0.0, 0)[1] == []
    assert len(split(read[:1], 0.9, 0)[0]) == 1


def draw(read: list[Photograph], step: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return batch(read, TrainECDCE(batch=4, crop=64, gain=(0.5, 2.0), exposure=(0.05, 0.3), seed=seed), step)


def test_a_batch_is_a_function_of_seed_and_step(photographs):
    read = read_photographs(photographs, 64, 1280)
    frames, exposure = draw(read, 7)
    assert frames.shape == (4, 3, 64, 64)
    assert frames.dtype == exposure.dtype == torch.float32
    assert 0 <= frames.min() < frames.max() <= 1
    assert 0.05 <= exposure.min() <= exposure.max() <= 0.3
    assert torch.equal(frames, draw(read, 7)[0])
    assert not torch.equal(frames, draw(read, 8)[0])
    assert not torch.equal(exposure, draw(read, 7, seed=1)[1])


def test_crops_are_mirrored_lit_and_of_every_size(photographs):
    ramp = np.tile(np.linspace(20, 220, 160).astype(np.uint8)[None, :, None], (160, 1, 3))
    read = [Photograph("ramp", "", ramp)]
    frames, _ = batch(read, TrainECDCE(batch=64, crop=64, gain=(0.5, 2.0), exposure=(0.1, 0.1)), step=0)
    slopes = (frames[:, 0, 32, -1] - frames[:, 0, 32, 0]).numpy()
    assert (slopes > 0).any()
    assert (slopes < 0).any()
    assert np.abs(slopes).max() > 1.5 * np.abs(slopes).min()
    plain, _ = batch(read, TrainECDCE(batch=8, crop=64, gain=(1.0, 1.0), exposure=(0.1, 0.1)), step=0)
    codes = plain * 255
    torch.testing.assert_close(codes, codes.round(), atol=1e-3, rtol=0)


def test_whole_is_the_middle_square():
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, 16:80] = 255
    frame = whole(Photograph("p", "", pixels), 32)
    assert frame.shape == (3, 32, 32)
    assert frame.min() == 1


def test_a_folder_below_another_may_be_given_as_text_path(photographs):
    assert len(read_photographs(Path(str(photographs)) / "more", 64, 1280)) == 1
