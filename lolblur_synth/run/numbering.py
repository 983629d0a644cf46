"""Sequences of a numbered video: recipes, fingerprints, and whether they are there already."""

from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

from lolblur_synth.config.run import Config
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.dataset.layout import Split
from lolblur_synth.dataset.settings import pixel_settings
from lolblur_synth.run.cutting import shutters_of
from lolblur_synth.run.footage import missed_blur
from lolblur_synth.run.made import Made
from lolblur_synth.run.plan import SequencePlan, VideoPlan
from lolblur_synth.synthesis.draws import draw
from lolblur_synth.synthesis.pipeline import VERSION
from lolblur_synth.synthesis.sequences import Metering, Recipe, Shutter, Slot, nearest_shutter, shutter_at
from lolblur_synth.video.metadata import VideoScan


@dataclass(frozen=True)
class Making:
    """What all videos of a run share: the configuration, the weights' hashes, and the sequences that are there."""

    config: Config
    weights: dict[str, str]
    existing: dict[str, Made]

    @cached_property
    def decisive(self) -> dict[str, Any]:
        """What of it decides pixels."""
        flow = self.config.interpolate.backend == "flow"
        return {
            "config": pixel_settings(self.config),
            "weights": self.weights,
            "pipeline": VERSION,
            # flow samples by splines on the CPU, by cubic convolution elsewhere
            "device": choose_device(self.config.run.device).type if flow else None,
        }


def number_video(cut: VideoPlan, number: int, split: Split, making: Making) -> VideoPlan:
    """A video with its number and split, and its sequences."""
    placed = replace(cut, number=number, split=split)
    sequences = tuple(_plan_sequence(placed, index, making) for index in range(len(cut.chunks)))
    return replace(placed, sequences=sequences, warnings=(*cut.warnings, *missed_blur(s.recipe for s in sequences)))


def _plan_sequence(video: VideoPlan, index: int, making: Making) -> SequencePlan:
    assert video.scan is not None
    assert video.number is not None
    assert video.split is not None
    config, chunk = making.config, video.chunks[index]
    sequence_id, key = f"{video.number:04d}-{index}", f"{video.scan.content}/{index}"
    draws = draw(config, key)
    if video.scan.info.holds_light:  # which reverse clipping would guess
        draws = replace(draws, streak=0.0)
    fps, aim = video.scan.info.capture_fps, None
    if draws.blur is not None:
        chosen, aim = nearest_shutter(shutters_of(fps, config), chunk, video.speeds[index], draws.blur)
        draws = replace(draws, shutter_ms=chosen.milliseconds)
    shutter = shutter_at(fps, draws.shutter_ms, config.interpolate.fps, draws.rolling_ms)
    metering = _metering(video.scan, chunk, shutter)
    recipe = Recipe(key, chunk, shutter, draws, metering, video.scan.info.holds_light, aim)
    mark = fingerprint(
        {
            "source": video.scan.content,
            "capture_fps": str(video.scan.info.capture_fps),
            "rendering": video.scan.info.rendering,
            "centers": [slot.center for slot in chunk],
            "gaps": shutter.gaps if aim else None,  # else settings and draws tell
            "breaks": video.scan.breaks_within(recipe.span),  # across which the denoiser does not look
            **making.decisive,
        }
    )
    made = making.existing.get(sequence_id)
    status: Literal["make", "keep", "remake"] = "make"
    if made:
        status = "keep" if made.fingerprint == mark else "remake"
    return SequencePlan(
        id=sequence_id,
        split=video.split,
        video=video.number,
        index=index,
        name=video.name,
        scan=video.scan,
        recipe=recipe,
        first_number=1 + index * config.sequences.pairs,
        rejects=video.rejects,
        fingerprint=mark,
        status=status,
    )


def _metering(scan: VideoScan, slots: tuple[Slot, ...], shutter: Shutter) -> Metering:
    """What makes the mean exposure of the sequence the one that was drawn, by what the scan saw of its lightness."""
    windows = [fmean(scan.lightness[at] for at in shutter.window(slot.center)) for slot in slots]
    return Metering(fmean(windows), windows[0])
