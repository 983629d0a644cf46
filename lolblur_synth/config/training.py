"""Sections of training: what can be configured, with defaults, bounds and explanations."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lolblur_synth.config.section import Range, Section, as_tuple, within


class CurveNet(Section):
    """The shape of EC-Zero-DCE; its checkpoints carry it. The released network is 256, 10, 1, false."""

    width: int = Field(24, ge=1, le=512, description="features of a layer")
    iterations: int = Field(10, ge=1, le=32, description="curves that are applied one after another")
    scale: int = Field(8, ge=1, le=16, description="curves are estimated at 1/scale of the resolution")
    context: bool = Field(True, description="the lightness of the whole picture is known everywhere")


class TrainECDCE(Section):
    """Everything `lolblur-synth train-ecdce` can be told; what differs from Zero-DCE's training says so."""

    seed: int = Field(0, ge=0, lt=2**63, description="same seed, same weights")
    net: CurveNet = CurveNet()
    steps: int = Field(1500, ge=1, description="of the optimizer")
    batch: int = Field(8, ge=1, description="crops of a step")
    crop: int = Field(256, ge=64, description="pixels")
    long_side: int = Field(1280, ge=64, description="pixels: photographs are kept in memory at this size")
    gain: Annotated[Range, within(0.1, 10)] = Field(
        (0.6, 1.6), description="of light, drawn log-uniformly per crop; Zero-DCE: 1"
    )
    exposure: Annotated[Range, within(0.005, 1)] = Field((0.05, 0.30), description="drawn uniformly per crop")
    learning_rate: float = Field(
        3e-4, gt=0, description="learning rate of Adam after a warm-up, then down to 1 % by a cosine; Zero-DCE: 1e-4"
    )
    weight_decay: float = Field(1e-4, ge=0, description="of Adam")
    clip_gradient: float = Field(0.1, gt=0, description="largest norm of all gradients")
    weight_exposure: float = Field(0.2, ge=0, description="of the loss of 16x16 patches; Zero-DCE: 10")
    weight_picture: float = Field(100, ge=0, description="of the loss of the picture as a whole; Zero-DCE: none")
    weight_spatial: float = Field(10, ge=0, description="of spatial consistency; Zero-DCE: 1")
    contrast: float = Field(
        1, ge=0, le=1, description="1: differences shrink with the exposure, 0: as in the input (Zero-DCE)"
    )
    weight_smooth: float = Field(
        2000, ge=0, description="of smoothness; Zero-DCE: 200, at full resolution, where maps are smoother"
    )
    validation_fraction: float = Field(0.2, ge=0, lt=1, description="of the photographs, never trained on")
    validate_every: int = Field(250, ge=1, description="steps")
    save_every: int = Field(250, ge=1, description="steps")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to compute; auto: CUDA where it is")


Width = Annotated[int, Field(ge=4, le=1024)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class RestorationNet(Section):
    """The shape of LEDNet; its checkpoints carry it."""

    channels: Annotated[tuple[Width, Width, Width, Width], BeforeValidator(as_tuple)] = Field(
        (32, 64, 128, 128), description="at full, half, quarter and eighth size"
    )
    signed: bool = Field(False, description="works in [-1, 1] inside, as the checkpoint that was released later")


class TrainLEDNet(Section):
    """Everything `lolblur-synth train-lednet` can be told; the defaults are the paper's, for one of its four GPUs."""

    seed: int = Field(0, ge=0, lt=2**63, description="same seed, same weights")
    net: RestorationNet = RestorationNet()
    input: str = Field("low_blur_noise", min_length=1, description="folder of the inputs in each split of the dataset")
    target: str = Field("high_sharp_scaled", min_length=1, description="folder of the ground truth in each split")
    steps: int = Field(500_000, ge=1, description="of the optimizer")
    batch: int = Field(
        4, ge=1, description="of each process; a step takes batch x accumulate x processes crops, the paper 16"
    )
    accumulate: int = Field(1, ge=1, description="batches of a process that make one step")
    crop: int = Field(256, ge=16, multiple_of=8, description="pixels; the side output has an eighth of them")
    learning_rate: float = Field(
        1e-4, gt=0, le=1, description="learning rate of Adam; from there to the last one by a cosine over all steps"
    )
    last_learning_rate: float = Field(1e-7, ge=0, description="learning rate of the last step")
    warm_up: float = Field(
        0, ge=0, le=1, description="fraction of the steps in which the learning rate rises; the paper: none"
    )
    betas: Annotated[tuple[Decay, Decay], BeforeValidator(as_tuple)] = Field((0.9, 0.99), description="of Adam")
    clip_gradient: float = Field(
        0, ge=0, description="largest norm of all gradients; 0: they are not clipped, as in the paper"
    )
    perceptual: float = Field(
        0.01, ge=0, description="weight of the VGG19 loss beside L1; 0: none, and no VGG19 is needed"
    )
    side: float = Field(0.8, ge=0, description="weight of both losses for the side output of 1/8 size")
    ema: float = Field(
        0, ge=0, lt=1, description="decay per step of the averaged weights that are then written; 0: no average"
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="of activations; fp16 needs CUDA")
    compile: bool = Field(False, description="torch.compile: minutes at the start, faster steps after it")
    channels_last: bool = Field(True, description="layout of the weights in memory")
    validate_every: int = Field(5000, ge=0, description="steps; 0: never, and the dataset needs no test split")
    validate_pairs: int = Field(200, ge=1, description="at most so many, evenly over the test split")
    lpips: Literal["auto", "none"] = Field(
        "auto", description="auto: validated by it too where its weights (vgg) are in the cache"
    )
    save_every: int = Field(5000, ge=1, description="steps")
    samples: int = Field(4, ge=0, description="pictures in TensorBoard at each validation")
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=256)] = Field(
        "auto", description="processes that read pairs, of each process that trains"
    )
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = Field(
        "auto", description="of torch, of each process; auto: its own choice"
    )
    cache: str | None = Field(None, description="a folder for decoded pictures, read faster than PNGs")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to compute; auto: CUDA where it is")

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.last_learning_rate > self.learning_rate:
            raise ValueError(
                f"last_learning_rate ({self.last_learning_rate:g}) is above learning_rate ({self.learning_rate:g})"
            )
        return self

    @model_validator(mode="after")
    def _is_seen_by_vgg19(self) -> Self:
        if self.perceptual and self.crop < 64:  # the side output is an eighth, and VGG19 takes 8 x 8 pixels or more
            raise ValueError(f"crop ({self.crop}) is too small for VGG19; make it 64 or more, or perceptual 0")
        return self
