"""Dense optical flow (DIS), forward-backward inconsistency, sampling along flow; (2, H, W), x and y in pixels."""

from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.ops.optical_flow_compiled import STEP, inconsistent_share

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601, of encoded values
_SMALLEST = 32  # pixels: DIS needs a few patches of 8 at half resolution
_OPENCV = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}

_VISIBLE = 4 / 255  # in the frames as they look in the light

Kernel = Literal["nearest", "bilinear", "bicubic"]


def grey(frame: Tensor) -> Tensor:
    """Luma of 8 bits (H, W), Rec. 601, of a frame (3, H, W), sRGB in [0, 1]."""
    weights = frame.new_tensor(_LUMA)[:, None, None]
    return (frame * weights).sum(0).mul(255).round().clamp(0, 255).byte()


def estimate_flow(before: Tensor, after: Tensor, scale: int = 1) -> tuple[Tensor, Tensor]:
    """Optical flow of every pixel from `before` to `after`, and of every pixel of `after` back to `before`.

    Frames (3, H, W), sRGB in [0, 1]; two flows (2, H, W) on the frames' device. OpenCV's DIS runs on the CPU: frames
    on another device visit it as 8-bit grey. It looks at pictures down to 1 / 2^`scale` of their size.
    Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016.

    >>> frame = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
    >>> forward, backward = estimate_flow(frame, frame)
    >>> forward.shape, float(forward.abs().max())
    (torch.Size([2, 48, 64]), 0.0)
    """
    first, second = grey(before), grey(after)

    def planes(flow: Tensor) -> Tensor:
        return flow.permute(2, 0, 1).contiguous().to(before.device)

    return planes(dis_flow(first, second, scale)), planes(dis_flow(second, first, scale))


def dis_flow(one: Tensor, other: Tensor, scale: int = 1, refinements: int = 5) -> Tensor:
    """DIS optical flow from one 8-bit picture (H, W) to another, (H, W, 2), x and y in pixels; on the CPU.

    With so many iterations of variational refinement at each size, which take half of the time.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    dis.setFinestScale(scale)  # 1, half: the full size takes several times as long and changes the blur little
    dis.setVariationalRefinementIterations(refinements)
    height, width = one.shape
    below, right = (max(0, _SMALLEST - side) for side in (height, width))
    first, second = (np.pad(p.cpu().numpy(), ((0, below), (0, right)), mode="edge") for p in (one, other))
    return torch.from_numpy(dis.calc(first, second, None))[:height, :width]


def pixel_grid(like: Tensor) -> Tensor:
    """Where the pixels of a (..., H, W) tensor are: (2, H, W), x and y.

    >>> pixel_grid(torch.zeros(2, 3))[0]
    tensor([[0., 1., 2.],
            [0., 1., 2.]])
    """
    height, width = like.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=torch.float32),
        torch.arange(width, device=like.device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack((x, y))


def sample(planes: Tensor, at: Tensor, kernel: Kernel) -> Tensor:
    """Values of (C, H, W) at positions `at` (2, h, w), the border repeated: (C, h, w).

    The cubic kernel has a = -0.75. OpenCV on the CPU, in less than half of the time; PyTorch on other devices.
    """
    return sample_opencv(planes, at, kernel) if planes.device.type == "cpu" else sample_torch(planes, at, kernel)


def sample_opencv(planes: Tensor, at: Tensor, kernel: Kernel) -> Tensor:
    """`sample` by OpenCV's remap, on the CPU."""
    out = planes.new_empty(planes.shape[0], *at.shape[1:])
    x, y = at[0].numpy(), at[1].numpy()
    for source, target in zip(planes, out, strict=True):
        cv2.remap(source.numpy(), x, y, _OPENCV[kernel], dst=target.numpy(), borderMode=cv2.BORDER_REPLICATE)
    return out


def sample_torch(planes: Tensor, at: Tensor, kernel: Kernel) -> Tensor:
    """`sample` by PyTorch's grid_sample, on any device."""
    height, width = planes.shape[-2:]
    size = at.new_tensor((width, height))[:, None, None]
    grid = ((2 * at + 1) / size - 1).permute(1, 2, 0)
    return F.grid_sample(planes[None], grid[None], kernel, "border", align_corners=False)[0]


def flow_inconsistency(before: Tensor, after: Tensor, forward: Tensor, backward: Tensor) -> float:
    """Forward-backward inconsistency: the share of both frames whose two flows do not lead back, visibly, in [0, 1].

    Flows do not lead back where |there + back|^2 > 0.01 (|there|^2 + |back|^2) + 0.5 (Sundaram et al., "Dense Point
    Trajectories by GPU-Accelerated Large Displacement Optical Flow", ECCV 2010), which they never do where there is
    nothing to see; so only pixels count that differ from where they are said to go. What leaves the frame is left out.
    Every other pixel of every other row is looked at.

    >>> frame, still = torch.zeros(3, 8, 8), torch.zeros(2, 8, 8)
    >>> flow_inconsistency(frame, frame, still, still)
    0.0
    """
    if runs_compiled(before, after, forward, backward):
        first, second, flow, return_ = (x.contiguous().numpy() for x in (before, after, forward, backward))
        return inconsistent_share(first, second, flow, return_, _VISIBLE)
    wrong, seen = forward.new_zeros(()), forward.new_zeros(())
    for frame, other, there, return_flow in ((before, after, forward, backward), (after, before, backward, forward)):
        height, width = there.shape[-2:]
        at, here, way = (x[:, ::STEP, ::STEP].contiguous() for x in (pixel_grid(there) + there, frame, there))
        inside = (at[0] >= 0) & (at[1] >= 0) & (at[0] <= width - 1) & (at[1] <= height - 1)
        back = sample(return_flow, at, "bilinear")
        tolerance = 0.01 * (way.square().sum(0) + back.square().sum(0)) + 0.5
        lost = (way + back).square().sum(0) > tolerance
        visible = (here - sample_torch(other, at, "bilinear")).abs().amax(0) > _VISIBLE
        wrong += (lost & inside & visible).sum()
        seen += inside.sum()
    return float(wrong / seen.clamp(min=1))
