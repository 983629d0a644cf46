import pytest
import torch
from torch import Tensor

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.rife import IFNet, Motion, blend
from lolblur_synth.ops.interpolation.rife import Rife
from tests.support.rife_files import VERSIONS, random_rife, smooth_frames

TIMES = [0.125, 0.25, 0.5, 0.625, 0.875]


class Counting(IFNet):
    """The network on a device that has room for so many moments at once; counts how often frames are encoded."""

    def __init__(self, version: str, room: int = 99) -> None:
        super().__init__(version)
        self.load_state_dict(random_rife(version).state_dict())
        self.eval().requires_grad_(False)
        self.room, self.batches, self.encoded = room, [], 0

    def encode(self, frames: Tensor) -> Tensor | None:
        self.encoded += len(frames)
        return super().encode(frames)

    def forward(
        self, before: Tensor, after: Tensor, times: Tensor, features: tuple[Tensor, Tensor] | None = None
    ) -> Motion:
        self.batches.append(len(times))
        if len(times) > self.room:
            raise torch.OutOfMemoryError("no room")
        return super().forward(before, after, times, features)


@pytest.fixture(scope="module")
def frames() -> Tensor:
    return smooth_frames((40, 50), count=3)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("batch", [None, 1, 2, 8])
def test_motion_of_the_light_applied_in_the_dark(version, batch, frames):
    net = random_rife(version)
    dark = frames * 0.05
    made = list(Rife(net, pytest.fail, batch).subframes(dark[0], dark[1], frames[0], frames[1], TIMES))
    wanted = blend(dark[0], dark[1], net(frames[0], frames[1], torch.tensor(TIMES)))
    torch.testing.assert_close(torch.stack(made), wanted, atol=1e-5, rtol=0)
    assert not made[0].requires_grad


def test_frames_above_white_keep_their_light(frames):
    bright = frames * 40
    made = torch.stack(list(Rife(random_rife("4.0"), pytest.fail).subframes(*bright[:2], *frames[:2], TIMES)))
    assert made.max() > 20
    assert made.max() <= bright.max() + 1e-4


@pytest.mark.parametrize(
    ("room", "batches"), [(5, [5]), (3, [5, 3, 2]), (2, [5, 3, 2, 2, 1]), (1, [5, 3, 2, 1, 1, 1, 1, 1])]
)
def test_without_room_for_a_whole_gap_it_goes_on_with_less(room, batches, frames):
    net, told = Counting("4.0", room), []
    rife = Rife(net, told.append, batch=5)
    made = list(rife.subframes(*frames[:2], *frames[:2], TIMES))
    assert net.batches == batches
    assert len(told) == sum(size > room for size in batches)
    assert all("out of memory" in line and "going on with" in line for line in told)
    wanted = list(Rife(random_rife("4.0"), pytest.fail, 5).subframes(*frames[:2], *frames[:2], TIMES))
    torch.testing.assert_close(made, wanted, atol=1e-5, rtol=0)
    net.batches.clear()
    list(rife.subframes(*frames[1:], *frames[1:], TIMES))
    assert max(net.batches) <= room  # what did not fit once is not tried again


def test_without_room_for_one_it_ends(frames):
    with pytest.raises(UserError, match=r"out of memory for a single sub-frame; give smaller frames"):
        list(Rife(Counting("4.0", 0), lambda _: None, 5).subframes(*frames[:2], *frames[:2], TIMES))


def test_each_frame_of_a_window_is_encoded_once(frames):
    net = Counting("4.25")
    rife = Rife(net, pytest.fail)
    guides = list(frames)
    gaps = [list(rife.subframes(*guides[k : k + 2], *guides[k : k + 2], TIMES)) for k in (0, 1)]
    assert net.encoded == 3
    alone = list(Rife(random_rife("4.25"), pytest.fail).subframes(*guides[1:], *guides[1:], TIMES))
    torch.testing.assert_close(gaps[1], alone, atol=1e-6, rtol=0)
    list(rife.subframes(*guides[1:], *guides[1:], [0.3]))  # the rest of the same gap
    assert net.encoded == 3
    copies = list(frames * 1)
    list(rife.subframes(*copies[1:], *copies[1:], TIMES))  # another window: nothing is taken for what it is not
    assert net.encoded == 5


@pytest.mark.parametrize("version", VERSIONS)
def test_what_does_not_move_stays_as_it_is(version, frames):
    """Bit for bit, though the network sees some motion between equal frames; dark frames that differ are blended."""
    net, dark = random_rife(version), frames * 0.05
    still = frames[0].clone()
    assert not torch.equal(blend(*dark[[0, 0]], net(frames[0], still, torch.tensor([0.5])))[0], dark[0])
    rife = Rife(net, pytest.fail)
    assert all(torch.equal(made, dark[0]) for made in rife.subframes(dark[0], dark[0].clone(), frames[0], still, TIMES))
    blends = torch.stack([torch.lerp(dark[0], dark[1], time) for time in TIMES])
    assert torch.equal(torch.stack(list(rife.subframes(*dark[:2], frames[0], still, TIMES))), blends)


def test_no_moments_at_all(frames):
    assert list(Rife(random_rife("4.0"), pytest.fail).subframes(*frames[:2], *frames[:2], [])) == []
