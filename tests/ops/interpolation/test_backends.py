"""What `auto` takes, and that every backend makes the same kind of stream."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import file_hash
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.nets.weights.ncnn import write
from lolblur_synth.ops.interpolation.backends import (
    MOMENTS_AT_ONCE,
    by_ncnn,
    by_rife,
    choose_backend,
    open_interpolator,
    survey,
)
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import Gap, by_blending, interpolate
from lolblur_synth.ops.interpolation.ncnn import PROCESSOR, RifeNcnn
from lolblur_synth.ops.interpolation.rife import Rife
from lolblur_synth.ops.motion import GapNote
from tests.ops.interpolation.test_ncnn import needs_ncnn
from tests.support.rife_files import VERSIONS, random_rife, smooth_frames

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "rife.safetensors"
    save_weights(path, random_rife("4.0"), {})
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "rife-v4.0-ncnn"
    path.mkdir()
    write(random_rife("4.0"), path)
    return path


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "none"))


def test_auto_is_flow_on_the_processor(weights):
    choice = choose_backend("auto", str(weights), CPU)
    assert (choice.backend, choice.weights) == ("flow", {})
    assert choice.told == "optical flow (auto: there is no CUDA)"


def test_auto_is_rife_on_cuda_with_its_weights(weights):
    choice = choose_backend("auto", str(weights), CUDA)
    assert (choice.backend, choice.told) == ("rife", "RIFE v4.0 on cuda (auto)")
    assert choice.weights == {"rife": file_hash(weights)}


def test_auto_on_cuda_says_which_weights_are_missing():
    choice = choose_backend("auto", "rife-v4.25", CUDA)
    assert choice.backend == "flow"
    assert "weights rife-v4.25 are not there; get them by `lolblur-synth weights pull rife-v4.25`" in choice.told
    assert "nix.safetensors are not there" in choose_backend("auto", "nix.safetensors", CUDA).told


def test_damaged_weights_are_no_reason_to_take_another_backend(weights):
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged"):
        choose_backend("auto", str(weights), CUDA)


@pytest.mark.parametrize(
    ("backend", "weights", "told"),
    [
        ("rife", "rife-v4.0", "weights pull rife-v4.0"),
        ("rife", "ec_zero_dce", "holds ec_zero_dce, not rife"),
        ("rife", "rife-v9", "no such name"),
        ("rife-ncnn", "rife-v4.0", "RIFE for ncnn"),
        ("rife-ncnn", "lednet", "only RIFE runs on ncnn"),
    ],
)
def test_what_is_asked_for_by_name_is_never_replaced(backend, weights, told):
    with pytest.raises(UserError) as caught:
        choose_backend(backend, weights, CPU)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_survey_tells_what_is_missing_and_what_auto_takes(weights):
    assert [name for name, _ in survey("rife-v4.0", CPU)] == ["rife", "rife-ncnn", "auto"]
    assert dict(survey("rife-v4.0", CPU))["rife"].startswith("not here: weights rife-v4.0")
    assert dict(survey(str(weights), CPU))["rife"] == "RIFE v4.0 on cpu"


def test_what_is_opened_is_what_was_chosen(weights):
    for backend, wanted in (("flow", by_flow), ("linear", by_blending)):
        with open_interpolator(backend, "none", CPU, 1, pytest.fail, vulkan=True) as (interpolator, sha256):
            assert (interpolator, sha256) == (wanted, None)
    with open_interpolator("rife", str(weights), CPU, 1, pytest.fail, vulkan=True) as (_, sha256):
        assert sha256 == choose_backend("rife", str(weights), CPU).weights["rife"]


def frames_at(factor: int, by, count: int = 3, threads: int = 1, note=lambda told: None) -> list[Tensor]:
    frames = list(smooth_frames((40, 50), count=count))
    dark = [frame * 0.05 for frame in frames]
    with ordered_map(threads) as each:
        return list(interpolate(dark, frames, factor, by, each, note))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("threads", [1, 2])
def test_rife_makes_the_moments_between_untouched_frames(version, threads):
    net = random_rife(version)
    notes: list[GapNote] = []
    made = frames_at(3, by_rife(Rife(net, pytest.fail)), threads=threads, note=notes.append)
    frames = list(smooth_frames((40, 50), count=3))
    assert len(made) == 7
    assert len(notes) == 2
    assert min(note.inconsistency for note in notes) > 0.1  # these frames have nothing to do with each other
    for gap in (0, 1):
        dark = frames[gap] * 0.05, frames[gap + 1] * 0.05
        assert torch.equal(made[3 * gap], dark[0])
        wanted = Rife(net, pytest.fail).subframes(*dark, *frames[gap : gap + 2], [1 / 3, 2 / 3])
        torch.testing.assert_close(made[3 * gap + 1 : 3 * gap + 3], list(wanted), atol=1e-6, rtol=0)


def test_many_moments_of_a_gap_are_made_in_pieces():
    net, pieces = random_rife("4.0"), []

    class Watched(Rife):
        def subframes(self, *arguments):
            pieces.append(len(arguments[-1]))
            return super().subframes(*arguments)

    notes: list[GapNote] = []
    made = frames_at(2 * MOMENTS_AT_ONCE + 3, by_rife(Watched(net, pytest.fail)), count=2, note=notes.append)
    assert len(made) == 2 * MOMENTS_AT_ONCE + 4
    assert pieces == [MOMENTS_AT_ONCE - 1, MOMENTS_AT_ONCE, 3]
    assert len(notes) == 1


def still_gap() -> Gap:
    frame = smooth_frames((40, 50))[0]
    return Gap(frame * 0.1, frame.clone() * 0.1, frame, frame.clone(), [0, 0.25, 0.5])


def test_equal_frames_stay_equal():
    """A network alone would not promise it."""
    notes: list[GapNote] = []
    gap = still_gap()
    made = list(by_rife(Rife(random_rife("4.25"), pytest.fail))(iter([gap]), map, notes.append))
    assert [note.inconsistency for note in notes] == [0]
    assert not notes[0].flow.forward.any()
    assert len(made) == 3
    assert all(torch.equal(frame, gap.before) for frame in made)


@needs_ncnn
def test_ncnn_makes_the_moments_between_untouched_frames(folder):
    choice = choose_backend("rife-ncnn", str(folder), CPU, vulkan=False)
    assert choice.told == "RIFE v4.0 on ncnn, the processor"
    with RifeNcnn(folder, PROCESSOR) as ncnn:
        notes: list[GapNote] = []
        made = frames_at(3, by_ncnn(ncnn), note=notes.append)
        frames = list(smooth_frames((40, 50), count=3) * 0.05)
        wanted = list(ncnn.subframes(frames[0], frames[1], [1 / 3, 2 / 3]))
        still = list(by_ncnn(ncnn)(iter([still_gap()]), map, notes.append))
    assert (len(made), len(notes), notes[2].inconsistency) == (7, 3, 0)
    assert all(torch.equal(made[3 * index], frames[index]) for index in range(3))
    assert torch.equal(torch.stack(made[1:3]), torch.stack(wanted))
    assert all(torch.equal(frame, still_gap().before) for frame in still)
    with open_interpolator("rife-ncnn", str(folder), CPU, 1, pytest.fail, vulkan=False) as (_, sha256):
        assert sha256 == choice.weights["rife-ncnn"]
