"""Sections of a run: what can be configured, with defaults, bounds and explanations."""

from typing import Annotated, Literal, Self, TypeGuard, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from lolblur_synth.config.about import About
from lolblur_synth.config.cameras import CameraSettings, known
from lolblur_synth.config.section import SMALLEST_SIDE, Range, Section, Size, WholeRange, as_range, as_tuple, within
from lolblur_synth.mosaic.pattern import Demosaic, Pattern
from lolblur_synth.ops.noise.camera import Model
from lolblur_synth.ops.response_table import Name, Response, check_table
from lolblur_synth.video.metadata import MAX_PIXELS, ColorMatrix, Primaries, Subsampling, Transfer
from lolblur_synth.video.shutter import parse_shutter


def _shutter(value: float | str) -> float | str:
    parse_shutter(value)
    return value


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
        description="what becomes white: of scene-linear frames (OpenEXR, float TIFF, DNG) this value, of HDR video "
        "and camera logs so many times diffuse white",
    )
    source_shutter: Annotated[float | str, AfterValidator(_shutter)] | None = Field(
        None,
        description="exposure of the stored frames, of all videos: seconds such as 0.002 or 1/500, or an angle such as "
        "180deg; null: what each file tells",
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
    blur: Annotated[Range, within(0.1, 1000)] | None = Field(
        None,
        description="mean path in pixels that things go while the shutter is open, drawn uniformly: a sequence takes "
        "the exposure time that comes nearest, and shutter_ms is not used; null: shutter_ms",
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


_POINTS = 1024  # of a response table, which every record holds


def _as_response(value: object) -> object:
    """A table is a list of points."""
    if value in get_args(Name):
        return value
    points = list(map(as_tuple, value)) if isinstance(value, (list, tuple)) else []
    table = tuple((float(point[0]), float(point[1])) for point in points if _is_point(point))
    if not points or len(table) < len(points):
        raise ValueError("srgb, gamma2.2 or a table of [LIGHT, CODE] in [0, 1], such as [[0, 0], [0.2, 0.5], [1, 1]]")
    if len(table) > _POINTS:
        raise ValueError(f"a response table has {_POINTS} points at most, here are {len(table)}")
    check_table(table)
    return table


def _is_point(value: object) -> TypeGuard[tuple[float, float]]:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_share, value))


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


class Camera(Section):
    """How the camera reads its sensor out, and encodes light."""

    rolling_ms: Annotated[Range, within(0, 1000)] = Field(
        (0, 0),
        description="rolling shutter: readout time from the first row to the last; drawn uniformly; 0: global shutter",
    )
    response: Annotated[Response, BeforeValidator(_as_response)] = Field(
        "srgb", description="response curve of all five pictures: srgb, gamma2.2, or a rising table of [light, code]"
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


def _kind_of_camera(camera: object) -> str:
    return "camera-name" if isinstance(camera, str) else "camera-file"


NoiseCamera = Annotated[
    Annotated[str, AfterValidator(known), Tag("camera-name")] | Annotated[CameraSettings, Tag("camera-file")],
    Discriminator(_kind_of_camera),
]
_GAINS = within(1, 16)  # below 1, a channel would saturate in light that is not white: all lights would be coloured


class Noise(Section):
    """Noise of the camera, on the Bayer mosaic of its sensor or in linear light.

    linear: variance = shot x + read at linear light x, where log read = slope log shot + offset + N(0, spread)
    (Brooks et al., CVPR 2019).
    """

    model: Model = Field(
        "bayer", description="bayer: noise of a camera's sensor; linear: shot and read noise in linear light; none"
    )
    shot: Annotated[Range, within(0, 1)] = Field((2e-6, 5e-5), description="of linear: shot noise, drawn log-uniformly")
    read_slope: float = Field(2.18, ge=0, le=10, description="of linear: of log read over log shot")
    read_offset: float = Field(1.20, ge=-50, le=50, description="of linear: of log read where log shot is 0")
    read_spread: float = Field(
        0.26, ge=0, le=10, description="of linear: standard deviation of log read around that line"
    )
    camera: NoiseCamera = Field(
        "rsblur",
        description="of bayer: whose noise, colours, white balance; a preset of configs/noise/cameras.yaml, or a file",
    )
    pattern: Literal["any"] | Pattern = Field(
        "any", description="of bayer: colours of the mosaic, in rows; any: the camera's, else a sequence draws one"
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


class Isp(Section):
    """Image signal processing, the last step on the noisy picture alone: sharpening, JPEG; both off by default."""

    sharpen: Annotated[Range, within(0, 5)] = Field(
        (0, 0), description="unsharp masking: times the difference to a Gaussian blur, drawn uniformly; 0: none"
    )
    sharpen_radius: float = Field(1.0, ge=0.3, le=8, description="that Gaussian's standard deviation, pixels")
    jpeg_quality: Annotated[WholeRange, within(1, 100)] | None = Field(
        None, description="of JPEG, from 1 to 100, drawn uniformly; null: none"
    )
    jpeg_subsampling: Literal[Subsampling, "any"] = Field(
        "4:2:0", description="of chroma: 4:4:4, 4:2:2 or 4:2:0; any: a sequence draws one"
    )


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
    cache_footage: str | None = Field(
        None,
        min_length=1,
        description="a folder for copies of footage that is given by URL, with ~ and $VARIABLES of the machine that "
        "reads it; null: in the cache folder",
    )
    cache_footage_gb: float = Field(50, gt=0, le=1e6, description="of 10^9 bytes: no more is kept there")
    remote_timeout: float = Field(
        60, gt=0, le=3600, description="seconds in which a store has to answer, or to give 8 MiB of a file"
    )
    remote_tries: int = Field(4, ge=1, le=100, description="times in a row that a store is asked for the same")


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
    camera: Camera = Camera()
    defocus: Defocus = Defocus()
    noise: Noise = Noise()
    isp: Isp = Isp()
    dataset: Dataset = Dataset()
    about: About = About()
    run: Run = Run()

    @model_validator(mode="after")
    def _readout_fits(self) -> Self:
        slowest = self.camera.rolling_ms[1]
        if slowest * self.sequences.fps > 1000:
            raise ValueError(
                f"camera.rolling_ms: a readout of {slowest:g} ms does not fit into a frame at "
                f"{self.sequences.fps:g} fps (sequences.fps)"
            )
        return self
