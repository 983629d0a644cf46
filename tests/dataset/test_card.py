"""The card is a view of the summary."""

from dataclasses import replace

import pytest

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.card import SHEET, render, write
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import RejectRecord, SourceShutterRecord
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.dataset.summary import summarize
from lolblur_synth.ops.isp import Jpeg
from lolblur_synth.synthesis.draws import Draws
from lolblur_synth.video.images import read_pixels
from lolblur_synth.video.metadata import FlawKind
from lolblur_synth.video.shutter import ShutterOrigin
from tests.support.staged import SENSOR, SOURCE, pair, record, stage


def test_the_numbers_of_a_dataset_stand_in_its_card():
    sharp = Draws(0.3, 0.8, 24.0, 0.1, None, 1e-4, 1e-6)
    cuts = [
        RejectRecord(slot=slot, center=slot, reason=f"scene cut at frame {slot}", kinds=[FlawKind.SCENE_CUT])
        for slot in (1, 2)
    ]
    card = render(summarize([record(rejects=cuts), record(4, draws=sharp, split="test")]))
    for line in (
        "Made by lolblur-synth 0.1.0 with seed 0. 4 pairs from 2 videos, split by video:",
        "| train | 1 | 1 | 2 |",
        "4. Reverse clipping: + 25.5 to 51 of 255 where L* > 98.",
        "6. Defocus: 1 of 2 sequences, sigma 0.5 to 1 pixels.",
        f"| 0003 | train | a.mp4 | 240000/1001 fps (stream rate) | unknown | 2 | 2 | {'5' * 16} |",
        "Windows dropped: 2 for: scene cut. Each is listed in the records.",
        "| path, mean, pixels | 12.5 | 12.5 | 12.5 | 12.5 | 12.5 |",
        "| PSNR in light, dB | 26 | 26 | 26 | 26 | 26 |",
        "| direction | 0° | 30° | 60° | 90° | 120° | 150° | spread |",
        "| pairs | 0 | 0 | 4 | 0 | 0 | 0 | 0 |",
        "| tier | easy | medium | hard |",
        "| pairs | 0 | 4 | 0 |",
        "| 0003-0 | 0.100 | 1.0 | 2.0 | 9 | 0.00 | 0.50 |",
        "| real nights |  | 13.1 to 29.1 | 3.8 to 12.3 | 50 to 161 | 0.00 to 0.46 | 0.40 to 0.61 |",
        f"lolblur-synth 0.1.0, pipeline 3; device cpu; weights ec_zero_dce sha256 {'e' * 64}",
    ):
        assert line in card.splitlines()


def test_the_card_tells_of_the_noise():
    def line(*draws: Draws) -> str:
        card = render(summarize([record(number, draws=drawn) for number, drawn in enumerate(draws)]))
        (found,) = [line for line in card.splitlines() if line.startswith("7. ")]
        return found

    linear = Draws(0.3, 0.8, 24.0, 0.1, None, 1e-4, 1e-6)
    assert line(linear) == "7. Noise: shot 0.0001, read 1e-06 (variance = shot x + read at linear light x)."
    assert line(replace(linear, noise="none", shot=0.0, read=0.0)) == "7. Noise: none."
    assert line(replace(linear, noise="bayer", sensor=SENSOR)) == (
        "7. Noise: shot 0.0001, read 1e-06 (variance = shot x + read at raw light x, where the sensor is saturated "
        "at 1), by bayer phone."
    )


def test_the_card_tells_of_a_rolling_shutter():
    def line(*rolling_ms: float) -> str:
        drawn = (replace(record().draws, rolling_ms=ms) for ms in rolling_ms)
        card = render(summarize([record(number, draws=draws) for number, draws in enumerate(drawn)]))
        (found,) = [line for line in card.splitlines() if line.startswith("5. ")]
        return found

    usual = "5. Average in linear light: exposures of 32 ms, one pair every 1/24 s"
    assert line(0, 0) == f"{usual}."
    told = "; a rolling shutter reads each out in 8 to 20 ms, from top to bottom, the truth alike."
    assert line(8, 20) == usual + told


@pytest.mark.parametrize(
    ("response", "told"),
    [
        ("srgb", []),
        ("gamma2.2", ["8. Response curve: gamma2.2, instead of sRGB's, in all five pictures."]),
        (
            ((0.0, 0.0), (0.2, 0.5), (1.0, 1.0)),
            ["8. Response curve: a table of 3 points, in `dataset.yaml`, instead of sRGB's, in all five pictures."],
        ),
    ],
)
def test_the_card_tells_of_another_response_curve(response, told):
    config = Config(camera={"response": response})
    assert [line for line in render(summarize([record(config=config)])).splitlines() if line.startswith("8. ")] == told


def test_the_card_tells_of_sharpening_and_jpeg():
    plain = record().draws
    drawn = replace(plain, sharpening=0.5, jpeg=Jpeg(80, "4:2:0")), replace(plain, sharpening=0.25)
    config = Config(camera={"response": "gamma2.2"})
    card = render(summarize([record(number, draws=draws, config=config) for number, draws in enumerate(drawn)]))
    assert [line for line in card.splitlines() if line[:3] in ("8. ", "9. ", "10.", "11.")] == [
        "8. Response curve: gamma2.2, instead of sRGB's, in all five pictures.",
        "9. Sharpening of `low_blur_noise`: 0.25 to 0.5 times the difference to a Gaussian blur of 1 pixels.",
        "10. JPEG of `low_blur_noise` in 1 of 2 sequences: quality 80, chroma 4:2:0.",
    ]


def test_the_card_tells_how_long_frames_were_exposed():
    told = SourceShutterRecord(origin=ShutterOrigin.TAG, detail="a|b", seconds=0.002, exposure_ratio=0.48)
    source = SOURCE.model_copy(update={"shutter": told})
    card = render(summarize([record(source=source), record(4)]))
    assert "| 0.48 (tag a\\|b) |" in card
    assert "It is 0.48, and unknown of 1 of 2 videos." in card
    assert "It is unknown of all videos." in render(summarize([record()]))


def test_the_card_says_when_paths_are_not_measured():
    plain = replace(pair(1), blur=None)
    card = render(summarize([record(pairs=[plain])]))
    assert "Paths are not measured, as sub-frames were made without flow." in card
    assert "| tier | easy | medium | hard |" in card
    assert "path, mean" not in card
    assert "are blurred" not in render(summarize([record(pairs=[replace(plain, psnr=None, psnr_in_light=None)])]))


@pytest.mark.parametrize("name", ["a|b", "<script>", "x\ny"])
def test_names_from_files_make_no_markdown(name):
    card = render(summarize([record(source=SOURCE.model_copy(update={"name": name}))]))
    (row,) = [line for line in card.splitlines() if line.startswith("| 0003 |")]
    assert row.replace("\\|", "").count("|") == 9
    assert "<script" not in card


def test_card_and_contact_sheet_are_written(tmp_path):
    write_settings(tmp_path, Config())
    publish(tmp_path, stage(tmp_path))
    write(tmp_path, summarize(read_records(tmp_path).values()))
    assert "2 pairs from 1 videos" in (tmp_path / "README.md").read_text()
    assert read_pixels(tmp_path / SHEET).ndim == 3
