"""Colours of cameras, and what is drawn of one."""

import numpy as np
import pytest

from lolblur_synth.mosaic.color import normalized
from lolblur_synth.ops.noise.camera import Camera, Converter, Gains, draw_color, draw_level
from lolblur_synth.ops.noise.levels import CountedLevel, LogLine, ScaledLevel

A7R3 = ((6640.0, -1847.0, -503.0), (-5238.0, 13010.0, 2474.0), (-993.0, 1673.0, 6527.0))
D850 = ((10405.0, -3755.0, -1270.0), (-5461.0, 13787.0, 1793.0), (-1040.0, 2015.0, 6785.0))
CAMERA = Camera(ScaledLevel(1e-4, 1e-3, (1.0, 1.0)), (A7R3, D850), None, None, None)


def test_white_stays_white_and_gains_undo_the_camera():
    color, (red, blue) = normalized(A7R3)
    np.testing.assert_allclose(np.sum(color, 1), 1)
    white = np.array(A7R3) @ (0.9504700, 1.0000001, 1.0888300)  # D65
    np.testing.assert_allclose(white[1] / white[[0, 2]], (red, blue))


def test_no_colour_within_srgb_is_brighter_than_white_in_a_camera():
    for matrix in (A7R3, D850):
        corners = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1)
        assert (np.array(normalized(matrix)[0]) @ corners).max() < 1.03


def test_a_camera_of_several_matrices_draws_each_with_its_daylight():
    drawn = {draw_color(CAMERA, np.random.default_rng(k)) for k in range(20)}
    assert {color for color, _ in drawn} == {normalized(A7R3)[0], normalized(D850)[0]}
    assert all(gains.red[0] == gains.red[1] for _, gains in drawn)
    told = Camera(CAMERA.level, (A7R3,), Gains((1.9, 2.4), (1.5, 1.9)), None, None)
    assert draw_color(told, np.random.default_rng(0))[1] == told.gains


def test_digital_numbers_need_a_converter():
    level = CountedLevel((0.0, 0.0), LogLine(0.0, 0.0, 0.0), LogLine(0.0, 0.0, 0.0))
    camera = Camera(level, (A7R3,), None, Converter(10, 23), None)
    assert draw_level(camera, np.random.default_rng(0)).shot == pytest.approx(1 / 1000)
    with pytest.raises(ValueError, match="needs a converter"):
        draw_level(Camera(level, (A7R3,), None, None, None), np.random.default_rng(0))
