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


def test_the_table_has_sequences_and_all():
    console = Console(record=True, width=100)
    show(console, EVALUATION)
    text = console.export_text()
    assert "0001" in text
    assert "31.00" in text
    assert "LPIPS 0.1 by alex; means over pictures" in text
