"""Means of scores, and their files."""

import json
import math

import pytest
from rich.console import Console

from lolblur_synth.metrics.scores import Evaluation, Score, as_text, mean, show

SCORES = [
    Score("0001/0001", 30.0, 0.9, 0.1),
    Score("0001/0002", 32.0, 0.7, 0.3),
    Score("0002/0001", math.inf, 1.0, 0.0),
]
EVALUATION = Evaluation("rgb", "alex", {"results": "a", "truth": "b"}, SCORES)


def test_the_mean_is_that_of_each_metric():
    assert mean("all", SCORES[:2]) == Score("all", 31.0, pytest.approx(0.8), pytest.approx(0.2))
    assert mean("all", SCORES).psnr == math.inf
    assert mean("all", [Score("1", 30.0, 0.9)]).lpips is None


def test_pictures_belong_to_the_sequence_of_their_folder():
    assert {name: len(scores) for name, scores in EVALUATION.sequences().items()} == {"0001": 2, "0002": 1}
    assert Score("0003", 1.0, 1.0).sequence == "."


def test_json_has_pictures_sequences_and_the_total_and_no_infinities():
    content = json.loads(as_text(EVALUATION, ".json"))
    assert content["pictures"]["0001/0002"] == {"psnr": 32.0, "ssim": 0.7, "lpips": 0.3}
    assert content["sequences"]["0001"] == {"psnr": 31.0, "ssim": 0.8, "lpips": 0.2}
    assert content["total"]["psnr"] is None
    assert (content["results"], content["truth"]) == ("a", "b")


def test_csv_has_a_line_a_picture():
    assert as_text(EVALUATION, ".csv").splitlines()[:2] == [
        "picture,psnr,ssim,lpips",
        "0001/0001,30.000000,0.900000,0.100000",
    ]
    without = Evaluation("y", None, {}, [Score("1", 30.0, 0.9)])
    assert as_text(without, ".csv").splitlines() == ["picture,psnr,ssim", "1,30.000000,0.900000"]


TIERS = {"0001/0001": "easy", "0001/0002": "hard"}


def test_pictures_are_scored_by_tier_as_far_as_it_is_known():
    evaluation = Evaluation("rgb", None, {}, [Score("0001/0001", 30.0, 0.9), *SCORES[1:]], TIERS)
    assert [(tier, len(scores)) for tier, scores in evaluation.by_tier().items()] == [
        ("easy", 1), ("hard", 1), ("unknown", 1),
    ]  # fmt: skip
    content = json.loads(as_text(evaluation, ".json"))
    assert content["tiers"]["easy"] == {"pictures": 1, "psnr": 30.0, "ssim": 0.9}
    assert [line.rpartition(",")[2] for line in as_text(evaluation, ".csv").splitlines()] == [
        "tier", "easy", "hard", "unknown",
    ]  # fmt: skip
    console = Console(record=True, width=100)
    show(console, evaluation)
    text = console.export_text()
    assert "easy from 30 dB, hard below 24" in text
    assert "unknown" in text


def test_without_tiers_nothing_is_said_of_them():
    assert not EVALUATION.by_tier()
    assert "tiers" not in json.loads(as_text(EVALUATION, ".json"))


def test_the_table_has_sequences_and_all():
    console = Console(record=True, width=100)
    show(console, EVALUATION)
    text = console.export_text()
    assert "0001" in text
    assert "31.00" in text
    assert "LPIPS 0.1 by alex; means over pictures" in text
