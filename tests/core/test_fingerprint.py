"""A hash of plain values."""

from lolblur_synth.core.fingerprint import fingerprint


def test_fingerprints_do_not_depend_on_the_order_of_keys():
    assert (
        fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1}) != fingerprint({"a": 1, "b": [2, 1]})
    )
