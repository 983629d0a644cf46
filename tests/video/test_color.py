"""Which colours come out of which samples."""

from itertools import product

import av
import numpy as np
import pytest
import torch

from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from tests.support.clips import H273, WEIGHTS, as_planes, encode, frame_of, scene
from tests.support.videos import BLOCKS, as_tensor, deep, opened, pixels

DEPTHS = {"yuv444p": 8, "yuv420p": 8, "yuv422p": 8, "yuv444p10le": 10, "yuv420p10le": 10, "yuv422p12le": 12}


@pytest.mark.parametrize(("pixel_format", "matrix", "full"), list(product(DEPTHS, WEIGHTS, (False, True))))
def test_colours_survive(tmp_path, pixel_format, matrix, full):
    planes = as_planes(BLOCKS, pixel_format, matrix, full)
    color = {"colorspace": H273[matrix], "color_range": 2 if full else 1}
    frames = [frame_of(planes, (96, 64), pixel_format)] * 2
    found = opened(encode(tmp_path / "a.mkv", frames, "ffv1", pixel_format, color=color))
    assert (found.info.color_matrix, found.info.color_range) == (matrix, "full" if full else "limited")
    assert found.info.bit_depth == DEPTHS[pixel_format]
    decoded = next(read_frames(found, 1, 2)).permute(1, 2, 0).numpy()
    inside = (slice(None), slice(5, 11), slice(None), slice(5, 11))  # away from where chroma is interpolated
    error = np.abs(decoded - BLOCKS).reshape(4, 16, 6, 16, 3)[inside].max()
    assert error <= {8: 1.5, 10: 0.4, 12: 0.1}[DEPTHS[pixel_format]] / 255  # what rounding to these samples costs


@pytest.mark.parametrize(("pixel_format", "full"), [("gray", 1), ("gray", 0), ("gray10le", 1), ("gray16le", 1)])
def test_grey_is_spread_over_the_channels(tmp_path, pixel_format, full):
    (luma,) = as_planes(BLOCKS, pixel_format, "bt709", full)
    frames = [frame_of([luma], (96, 64), pixel_format)] * 2
    color = {"color_range": 2 if full else 1}
    frame = pixels(encode(tmp_path / "a.mkv", frames, "ffv1", pixel_format, color=color))[0]
    depth = av.VideoFormat(pixel_format).components[0].bits
    expected = luma / (2**depth - 1) if full else (luma - 16.0) / 219
    assert torch.equal(frame[0], frame[1])
    assert torch.equal(frame[0], frame[2])
    assert np.abs(frame[0].numpy() - expected).max() < 1e-6


@pytest.mark.parametrize(("codec", "pixel_format", "between"), [("libx264", "yuv420p", 0), ("mjpeg", "yuvj420p", 0.5)])
def test_chroma_lies_where_its_standard_puts_it(tmp_path, codec, pixel_format, between):
    ramp = 80 + 2 * np.arange(48)
    blue = np.broadcast_to(ramp[::2] + 2 * between, (32, 24)).astype(np.uint8)
    grey = np.full((64, 48), 128, np.uint8)
    frames = [frame_of([grey, blue, grey[::2, ::2]], (48, 64), pixel_format)] * 2
    options = {"qp": "0"} if codec == "libx264" else {"qmin": "1", "qmax": "1"}
    color = {"colorspace": 6, "color_range": 2}
    frame = pixels(encode(tmp_path / "a.mkv", frames, codec, pixel_format, options=options, color=color))[0]
    decoded = (frame[2] * 255 - 128).numpy() / 1.772 + 128
    assert abs((decoded - ramp)[:, 8:-8].mean()) < 0.1  # half a column beside would be 1


def as_frames(pictures: list[np.ndarray], source: str, pixel_format: str) -> list[av.VideoFrame]:
    return [av.VideoFrame.from_ndarray(picture, source).reformat(format=pixel_format) for picture in pictures]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mkv", "ffv1", "bgr0"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.mp4", "libx264rgb", "rgb24"),
        ("a.avi", "huffyuv", "rgb24"),
        ("a.mov", "png", "rgba"),
    ],
)
def test_rgb_comes_through_unchanged(tmp_path, name, codec, pixel_format):
    pictures = scene(4)
    clip = encode(tmp_path / name, as_frames(pictures, "rgb24", pixel_format), codec, pixel_format, options={"qp": "0"})
    assert probe(clip).color_range == "full"
    assert torch.equal(pixels(clip), as_tensor(pictures))


@pytest.mark.parametrize(("codec", "pixel_format"), [("png", "rgb48be"), ("ffv1", "gbrp16le")])
def test_16_bit_rgb_keeps_its_depth(tmp_path, codec, pixel_format):
    pictures = [deep(number) for number in range(3)]
    clip = encode(
        tmp_path / ("a.mov" if codec == "png" else "a.mkv"),
        as_frames(pictures, "rgb48le", pixel_format),
        codec,
        pixel_format,
    )
    assert probe(clip).bit_depth == 16
    assert torch.equal(pixels(clip), as_tensor(pictures))


def test_alpha_is_dropped(tmp_path):
    planes = as_planes(BLOCKS, "yuv444p", "bt709", False)
    see_through = [frame_of([*planes, planes[0] // 2], (96, 64), "yuva444p")] * 2
    color = {"colorspace": 1, "color_range": 1}
    with_alpha = pixels(encode(tmp_path / "a.mkv", see_through, "ffv1", "yuva444p", color=color))
    opaque = [frame_of(planes, (96, 64), "yuv444p")] * 2
    assert torch.equal(with_alpha, pixels(encode(tmp_path / "b.mkv", opaque, "ffv1", "yuv444p", color=color)))


def test_a_palette_is_looked_up(tmp_path):
    steps = np.kron(np.arange(24).reshape(4, 6) * 10, np.ones((16, 16)))
    grey = np.repeat(steps[..., None], 3, 2).astype(np.uint8)
    pictures = [grey, np.roll(grey, 16, 1)]
    clip = encode(tmp_path / "a.gif", [as_frames([p], "rgb24", "gray")[0] for p in pictures], "gif", "gray", fps=50)
    assert torch.equal(pixels(clip), as_tensor(pictures))


@pytest.mark.parametrize("size", [(97, 63), (33, 65), (34, 2)])
def test_odd_sizes(tmp_path, size):
    pictures = scene(3, size=size)
    clip = encode(tmp_path / "a.mkv", pictures, "ffv1", "yuv420p", color={"colorspace": 6})
    assert (probe(clip).width, probe(clip).height) == size
    decoded = pixels(clip)
    assert decoded.shape == (3, 3, size[1], size[0])
    assert (decoded - as_tensor(pictures)).abs().mean() < 8 / 255
