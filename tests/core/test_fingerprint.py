import pytest

from lolblur_synth.core.fingerprint import fingerprint


def test_the_order_of_keys_decides_nothing_and_all_else_does():
    base = {"a": 1, "b": [1.5, None, "x"]}
    assert fingerprint(base) == fingerprint(dict(reversed(base.items())))
    others = ({"a": 2}, {"a": "1"}, {"a": True}, {"b": ["x", None, 1.5]}, {"c": 1})
    assert len({fingerprint({**base, **change}) for change in others} | {fingerprint(base)}) == 6


def test_it_stays_what_it_was():
    """Records hold it: a dataset is known again by it."""
    assert fingerprint({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # sha256 of {}


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError):
        fingerprint({"a": object()})
