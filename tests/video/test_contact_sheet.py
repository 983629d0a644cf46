"""Pictures in rows, each in its place."""

import numpy as np

from lolblur_synth.video.contact_sheet import contact_sheet


def test_contact_sheet_shows_every_picture_in_its_place():
    rows = [[np.full((20, 40, 3), 10 * r + c, np.uint8) for c in range(4)] for r in range(2)]
    sheet = contact_sheet(rows, width=40, gap=2)
    assert sheet.shape == (2 + 2 * 22, 2 + 4 * 42, 3)
    assert [int(sheet[12 + 22 * r, 20 + 42 * c, 0]) for r in range(2) for c in range(4)] == [0, 1, 2, 3, 10, 11, 12, 13]


def test_contact_sheet_of_sixteen_bit_pictures():
    assert contact_sheet([[np.full((8, 8, 3), 257 * 77, np.uint16)]], width=8)[8, 8, 0] == 77
