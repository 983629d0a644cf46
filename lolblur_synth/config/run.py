"""Sections of a run: what can be configured, with defaults, bounds and explanations."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lolblur_synth.config.cameras import known
from lolblur_synth.config.section import SMALLEST_SIDE, Range, Section, Size, as_range, within
from lolblur_synth.ops.noise.camera import Demosaic, Model, Pattern
from lolblur_synth.video.metadata import MAX_PIXELS, ColorMatrix, Primaries, Transfer


class Video(Section):
    """How source files are read."""

    capture_fps: float | None = Field(
        None, gt=0, le=1e6, description="frames per second of filming; null: the file's tags, else the stream's rate"
    )
    allow_low_fps: bool = Field(False, description="accept less than 48 frames per second")
    size: Size = Field((1120, 640), description="pixels of the frames, WIDTHxHEIGHT, or `source`")
    white: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="what becomes white: of scene-linear frames (OpenEXR, float TIFF) this value, of HDR video and "
        "camera logs so many times diffuse white",
    )
    transfer: Transfer | None = Field(None, description="transfer function of video files; null: as they tell")
    primaries: Primaries | None = Field(None, description="primaries of video files; null: as they tell")
    matrix: ColorMatrix | None = Field(None, description="from luma and chroma of video files; null: as they tell")
    flicker: Literal["tell", "remove", "drop"] = Field(
        "tell", description="of lamps on the mains: tell of it, remove it, or drop the windows with it"
    )


class Sequences(Section):
    """Which frames become pairs."""

    fps: float = Field(24, gt=0, le=1000, description="frames per second of the blurred frames")
    pairs: int = Field(30, ge=1, le=4999, description="pairs of a sequence, all with the same draws")
    per_video: Literal[1, 2] = Field(2, description="sequences of a video: of its first and its last `pairs`")
    min_pairs: int = Field(4, ge=1, description="shorter sequences are dropped")
    shutter_ms: Annotated[tuple[Annotated[float, Field(gt=0, le=1000)], ...], BeforeValidator(as_range)] = Field(
        (24, 32), description="exposure times, of which a sequence draws one; 7 or 9 frames at 250 per second"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.shutter_ms:
            raise ValueError("shutter_ms needs at least one shutter time")
        if self.min_pairs > self.pairs:
            raise ValueError(f"min_pairs ({self.min_pairs}) is more than pairs ({self.pairs})")
        if max(self.shutter_ms) * self.fps > 1000:
            raise ValueError(f"a shutter of {max(self.shutter_ms):g} ms does not fit into a frame at {self.fps:g} fps")
        return self


class Denoise(Section):
    """The denoiser of the source frames."""

    backend: Literal["vbm4d", "bm4d", "none"] = Field("vbm4d", description="V-BM4D, of the package bm4d, or none")
    preset: Literal["fast", "best"] = Field(
        "best", description="of vbm4d: hard thresholding alone, or a Wiener filter after it"
    )
    sigma: Literal["auto"] | Annotated[float, Field(gt=0, le=100)] = Field(
        "auto", description="noise, of 255; auto: measured per sequence, by brightness and frequency"
    )


class Darken(Section):
    """EC-Zero-DCE, which darkens by an exposure map."""

    exposure: Annotated[Range, within(0.005, 1)] = Field(
        (0.05, 0.30), description="mean lightness of what is not saturated, of 1; drawn uniformly"
    )
    dim: Annotated[Range, within(0.1, 1)] = Field(
        (0.8, 1.0), description="brightness of the ground truth, of the original's; drawn uniformly"
    )
    weights: str = Field("ec_zero_dce", description="the bundled ones, others by name in the cache, or a file")


class Interpolate(Section):
    """Interpolation of sub-frames, from the capture rate to theirs."""

    backend: Literal["auto", "flow", "rife", "rife-ncnn", "linear"] = Field(
        "auto", description="auto: rife on CUDA if its weights are there, else flow"
    )
    weights: str = Field(
        "rife-v4.0", description="of rife, by name in the cache or a file; of rife-ncnn, in the cache or a folder"
    )
    fps: float = Field(
        2000, gt=0, le=1e6, description="sub-frames per second; rounded to a multiple of the capture rate"
    )
    untrusted: float = Field(
        0.05, gt=0, le=1, description="of the picture: the most that may move inconsistently between two frames"
    )
    reject: bool = Field(False, description="drop the windows that exceed it; false: make them and tell")


class Unclip(Section):
    """Reverse clipping: light beyond what the camera could record."""

    threshold: float = Field(98, ge=0, le=100, description="CIE L* above which light counts as clipped")
    strength: Annotated[Range, within(0, 2550)] = Field((20, 100), description="added there, of 255; drawn uniformly")


class Average(Section):
    """The average over the exposure, which is the motion blur."""

    space: Literal["linear", "srgb"] = Field(
        "linear", description="linear: photons add up; srgb: display values are averaged"
    )


class Defocus(Section):
    """Defocus blur by generalized Gaussian kernels."""

    probability: float = Field(0.5, ge=0, le=1, description="that a sequence is defocused")
    sigma: Annotated[Range, within(0.1, 12)] = Field(
        (0.4, 1.6), description="pixels, along each axis of the ellipse; drawn uniformly"
    )
    shape: Annotated[Range, within(0.5, 16)] = Field(
        (0.8, 4.0), description="exponent of the kernel: 2 is a Gaussian, 16 nearly a disc; drawn uniformly"
    )


_GAINS = within(1, 16)  # below 1, a channel would saturate in light that is not white: all lights would be coloured


class Noise(Section):
    """Noise of the camera, in linear light or on the Bayer mosaic of a sensor.

    linear: variance = shot x + read at linear light x, where log read = slope log shot + offset + N(0, spread)
    (Brooks et al., CVPR 2019).
    """

    model: Model = Field(
        "linear", description="linear: shot and read noise in linear light; bayer: that of a camera's sensor; none"
    )
    shot: Annotated[Range, within(0, 1)] = Field((2e-6, 5e-5), description="of linear: shot noise, drawn log-uniformly")
    read_slope: float = Field(2.18, ge=0, le=10, description="of linear: of log read over log shot")
    read_offset: float = Field(1.20, ge=-50, le=50, description="of linear: of log read where log shot is 0")
    read_spread: float = Field(
        0.26, ge=0, le=10, description="of linear: standard deviation of log read around that line"
    )
    camera: Annotated[str, AfterValidator(known)] = Field(
        "sony-a7r3",
        description="of bayer: whose noise, colours and white balance; a preset of configs/noise/cameras.yaml",
    )
    pattern: Literal["any"] | Pattern = Field(
        "any", description="of bayer: colours of the mosaic, in rows; any: a sequence draws one"
    )
    demosaic: Demosaic = Field("menon", description="of bayer: demosaicing, the sharpest last: bilinear, malvar, menon")
    red_gain: Annotated[Range, _GAINS] | None = Field(
        None, description="of bayer: white balance of red, drawn uniformly; null: the camera's"
    )
    blue_gain: Annotated[Range, _GAINS] | None = Field(None, description="of bayer: white balance of blue, likewise")

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        if self.shot[0] == 0 and self.shot[1] > 0:
            raise ValueError("shot is drawn log-uniformly: its low end must be above 0 (or both ends 0 for no noise)")
        return self


class Dataset(Section):
    """The folders that are written."""

    bit_depth: Literal[8, 16] = Field(8, description="bits per channel of the pictures")
    test_fraction: float = Field(0.15, ge=0, lt=1, description="of the videos, for the test split")


class Run(Section):
    """The machine's share: workers change no pixel, a device does by rounding and by the kernel of flow's sampling."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to compute; auto: CUDA where it is")
    workers: int = Field(1, ge=1, le=256, description="sequences that are made at the same time")
    max_pixels: int = Field(
        MAX_PIXELS,
        ge=SMALLEST_SIDE**2,
        le=2**30,
        description="of a picture or a frame; larger ones are refused before they take the memory",
    )


class Config(Section):
    """Everything `lolblur-synth run` can be told."""

    seed: int = Field(0, ge=0, lt=2**63, description="same seed, same pixels")
    video: Video = Video()
    sequences: Sequences = Sequences()
    denoise: Denoise = Denoise()
    darken: Darken = Darken()
    interpolate: Interpolate = Interpolate()
    unclip: Unclip = Unclip()
    average: Average = Average()
    defocus: Defocus = Defocus()
    noise: Noise = Noise()
    dataset: Dataset = Dataset()
    run: Run = Run()
