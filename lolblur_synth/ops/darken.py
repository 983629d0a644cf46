"""Darken an image to a chosen exposure with EC-Zero-DCE, lights left as they are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE, apply_curves
from lolblur_synth.ops.darken_compiled import weigh_lights
from lolblur_synth.ops.lightness import lightness as lightness_of

SATURATED = 0.97  # lightness above which a pixel is a light
_KNEES = (0.80, 0.95)  # lightness at which pinning sets in: at the first where few pixels are bright, else later
_STEPS = 10  # knees that are tried between these
_SHARE, _ROOM = 0.25, 0.02  # pinned tones below 0.97 may add this share of the exposure to the mean, and this at most
_BRIGHT = 0.70  # tones below this are never lifted by a knee
_EDGE = 0.30  # lightness at which pinning sets in beside a light, where in-between values are its anti-aliased edge
_SECANTS, _SLOPE = 16, 5.0  # steps; what a shift of all maps takes from the logarithm of the mean, to begin with
_METERED = 1e-4  # so near, the exposure is met
_SAMPLES, _GOLDEN = 90_000, 0.618034
_BLACK = 1e-6  # lightness below this is divided by this
_NEAR_BLACK = 0.01  # added to lightnesses that are compared: of black nothing is to be learnt


def darken(rgb: Tensor, exposure: float | Tensor, net: ECZeroDCE, *, as_released: bool = False) -> Tensor:
    """Darken so that the unsaturated pixels have a mean lightness of `exposure`: RGB · L_low / L (LEDNet, section 3).

    rgb (3, H, W) or (N, 3, H, W), sRGB in [0, 1], to the same; exposure in [0, 1], one or N of them. No value rises,
    pixels of lightness above 0.97 keep theirs, and the strength of the curves is metered. `as_released` applies the
    curves as the network gives them, like the released inference, and clips the result. No gradients are recorded.

    >>> net = ECZeroDCE(width=2, iterations=2).eval()
    >>> frame = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> bool((darken(frame, 0.1, net) <= frame).all())
    True
    """
    with torch.no_grad():
        frames = rgb if rgb.ndim == 4 else rgb[None]
        lightness = lightness_of(frames)
        maps = net(lightness, exposure_map(lightness, exposure))
        if as_released:
            dark = apply_curves(lightness, maps)
        else:
            light = light_weight(lightness, exposure)
            maps = meter(frames, lightness, light, maps, exposure)
            dark = pin(lightness, apply_curves(lightness, maps), light)
        return relight(frames, lightness, dark).reshape(rgb.shape).clamp(0, 1)


def exposure_map(lightness: Tensor, exposure: float | Tensor) -> Tensor:
    """The exposure, but a light's own lightness where that is above 0.97; (N, 1, H, W) (LEDNet, section 3).

    >>> exposure_map(torch.tensor([0.5, 0.99]).view(1, 1, 1, 2), 0.1).flatten()
    tensor([0.1000, 0.9900])
    """
    asked = exposure.to(lightness).view(-1, 1, 1, 1) if isinstance(exposure, Tensor) else exposure
    return torch.where(lightness > SATURATED, lightness, asked)


def pin(lightness: Tensor, dark: Tensor, light: Tensor) -> Tensor:
    """From `dark` to `lightness`, by the weight of lights: exactly the latter where that is 1; all (N, 1, H, W).

    Where one curve holds, the order of tones is kept: the derivative is d'(1 − w) + w + w'(L − d), and d ≤ L.
    """
    return torch.lerp(dark, lightness, light)


def light_weight(lightness: Tensor, exposure: float | Tensor) -> Tensor:
    """How much of a pixel is light, 0 to 1, exactly 1 above 0.97; (N, 1, H, W).

    A step there would turn the glow around a lamp, or the sky around the sun, into a ragged contour. So the weight
    rises from a knee, as low as the exposure has room for, with the mean of the bright pixels around, which has less
    grain than the pixel. Beside a light it rises from 0.30: these are the in-between values of an anti-aliased edge.
    """
    knees = _knee(lightness, exposure)
    if runs_compiled(lightness, knees):
        out, levels = torch.empty(lightness.shape), (_KNEES[1], SATURATED, _BRIGHT, _KNEES[0])
        for tones, knee, made in zip(lightness.contiguous(), knees.flatten().tolist(), out, strict=True):
            weigh_lights(tones[0].numpy(), levels, (SATURATED, knee, _EDGE, _BLACK), made[0].numpy())
        return out
    light, bright = _smoothstep(lightness, _KNEES[1]), _smoothstep(lightness, _BRIGHT, _KNEES[0])
    beside, around, counted = _tent(torch.cat([light, bright * lightness, bright], 1)).chunk(3, 1)
    tone = around / counted.clamp(min=_BLACK)
    glow = bright * _smoothstep(tone, knees)
    edge = (2 * beside).clamp(max=1) * _smoothstep(lightness, _EDGE)
    return torch.maximum(light, torch.maximum(edge, glow))


def _knee(lightness: Tensor, exposure: float | Tensor) -> Tensor:
    """The lowest knee (N, 1, 1, 1) at which pinned tones add no more to the mean than there is room for.

    It moves smoothly with the picture, so that it does not make a clip flicker.
    """
    tones = lightness[..., ::4, ::4].flatten(1)
    counted = (tones <= SATURATED).to(tones.dtype)
    tones, count = tones * counted, counted.sum(1).clamp(min=1)
    step = (_KNEES[1] - _KNEES[0]) / _STEPS
    knees = [_KNEES[0] + step * i for i in range(_STEPS)]
    added = torch.stack([(_smoothstep(tones, knee) * tones).sum(1) / count for knee in knees], 1)  # (N, steps), falling
    room = (_SHARE * torch.as_tensor(exposure, device=tones.device).view(-1, 1)).clamp(_BLACK, _ROOM)
    excess = (2 * added / room - 1.5).clamp(0, 1)
    return (_KNEES[0] + step * excess.sum(1)).view(-1, 1, 1, 1)


def relight(rgb: Tensor, lightness: Tensor, dark: Tensor) -> Tensor:
    """RGB · L_low / L; rgb (N, 3, H, W), lightness and dark (N, 1, H, W); black stays black."""
    return rgb * (dark / lightness.clamp(min=_BLACK))


def mean_of(image: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean (N,) of an image (N, 1, H, W); 0 where all weights are."""
    return (image * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=_BLACK)


def mean_lightness(rgb: Tensor) -> float:
    """Mean CIE L*/100 of the pixels of a picture (3, H, W) that are no lights, of a sample of them; 0 if all are.

    >>> round(mean_lightness(torch.full((3, 8, 8), 0.5)), 3)
    0.534
    """
    lightness = lightness_of(_sample(rgb, *rgb.shape[-2:]))[None]
    return float(mean_of(lightness, (lightness <= SATURATED).to(lightness.dtype)))


def brightness_relation(exposure: float, mean: float, expected: float, seen: float) -> float:
    """Of the mean lightness of dark pictures to that of bright ones, one for all of a sequence, as of a camera.

    Where its bright pictures have a lightness of `mean`, the dark ones then have `exposure`. What is known of `mean`
    may come from uncropped, undimmed pictures: where these have `expected`, the first of the sequence have `seen`.
    """
    return exposure / max(_BLACK, mean * (seen + _NEAR_BLACK) / (expected + _NEAR_BLACK))


def metering_target(lightness: Tensor, unlit: Tensor, exposure: float | Tensor) -> Tensor:
    """The mean lightness (N,) of what is no light: `unlit` is 1 there, 0 in lights; both (N, 1, H, W).

    A dark region cannot be darkened to the exposure. Counted by picture the mean is min(E, mean); counted by 16x16
    patches, as the network's exposure loss does, it is the mean of min(E, patch), which is lower. This is halfway,
    but no more than 0.02 below the first.
    """
    asked = torch.as_tensor(exposure, dtype=lightness.dtype, device=lightness.device).view(-1)
    share, sums = (F.avg_pool2d(x, 16, ceil_mode=True, count_include_pad=False) for x in (unlit, unlit * lightness))
    reached = torch.minimum(sums, share * asked.view(-1, 1, 1, 1)).sum((1, 2, 3))
    patches = reached / share.sum((1, 2, 3)).clamp(min=_BLACK)
    picture = torch.minimum(asked, mean_of(lightness, unlit))
    return picture - ((picture - patches) / 2).clamp(0, 0.02)


def meter(rgb: Tensor, lightness: Tensor, light: Tensor, maps: Tensor, exposure: float | Tensor) -> Tensor:
    """Shift curve maps so that the picture's mean lightness, measured after RGB · L_low / L, is the one asked for.

    A network that saw a few photographs is some percent off on others, and so from frame to frame. One number added
    to all maps of a picture corrects that and leaves the differences between regions as they are; it is found by the
    secant method on a sample of the pixels. Pixels count as far as they are no light, not up to a threshold that a
    grain of noise crosses. Shapes as in `pin`; the maps that are returned are in [0, 1]: no curve brightens.
    """
    target = metering_target(lightness, 1 - light, exposure)
    lifted = mean_of(light * lightness, (lightness <= SATURATED).to(light.dtype))  # by the glow of lights
    target = torch.maximum(target - (lifted - _ROOM).clamp(min=0), target / 4)
    size = rgb.shape[-2:]
    rgb, lightness, light, curves = (_sample(image, *size) for image in (rgb, lightness, light, maps))
    unlit, wanted = 1 - light, target.clamp(min=_BLACK).log()

    def excess(shift: Tensor) -> Tensor:
        """By how much the logarithm of the mean is above what is wanted; it is nearly linear in the shift."""
        dark = pin(lightness, apply_curves(lightness, (curves + shift.view(-1, 1, 1, 1)).clamp(0, 1)), light)
        mean = mean_of(lightness_of(relight(rgb, lightness, dark)), unlit)
        return mean.clamp(min=_BLACK).log() - wanted

    low, high = torch.full_like(target, -1), torch.full_like(target, 2)  # maps are all 0, all 1
    shift = torch.zeros_like(target)
    over, slope = excess(shift), torch.full_like(target, _SLOPE)
    for _ in range(_SECANTS):
        met = over.abs() < _METERED
        if met.device.type == "cpu" and met.all():  # the others cost nothing but time: no other device is waited for
            break
        low, high = torch.where(over > 0, shift, low), torch.where(over > 0, high, shift)
        step = shift + over / slope
        is_good = (slope > 0) & (step >= low) & (step <= high)
        new = torch.where(met, shift, torch.where(is_good, step, (low + high) / 2))
        was, over = over, excess(new)
        slope, shift = (was - over) / (new - shift), new
    is_too_dark = mean_of(lightness, unlit) <= target
    return (maps + torch.where(is_too_dark, -1, shift).view(-1, 1, 1, 1)).clamp(0, 1)


def _sample(image: Tensor, height: int, width: int) -> Tensor:
    """About 90,000 pixels, evenly spread, (..., height, n), of an image that has or would have this size.

    Each row starts elsewhere: on a straight grid a post would come and go as the camera pans.
    """
    stride = min(max(height * width // _SAMPLES, 1), width)
    rows = torch.arange(height, device=image.device)[:, None]
    starts = (rows * _GOLDEN % 1 * stride).long()
    columns = starts + stride * torch.arange(width // stride, device=image.device)
    return image[..., rows * image.shape[-2] // height, columns * image.shape[-1] // width]


def _smoothstep(value: Tensor, low: float | Tensor, high: float = SATURATED) -> Tensor:
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _tent(image: Tensor) -> Tensor:
    """Mean over 5x5 pixels, weighted (1, 2, 3, 2, 1) along each axis; the border is continued.

    Sums of shifted copies take a tenth of the time that pooling does on a CPU.
    """
    image = F.pad(image, (2, 2, 2, 2), mode="replicate")
    for axis in (2, 3):
        a, b, c, d, e = (image.narrow(axis, shift, image.shape[axis] - 4) for shift in range(5))
        image = (a + e + 2 * (b + d) + 3 * c) / 9
    return image
