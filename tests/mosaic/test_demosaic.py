"""Demosaicing, against the package colour-demosaicing and by what holds for any picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.mosaic.demosaic import demosaic, mosaic
from lolblur_synth.mosaic.pattern import PATTERNS, sites

METHODS = ("bilinear", "malvar", "menon")
REFERENCE = """
import sys, warnings
warnings.simplefilter("ignore")  # of packages that it could use and that are not there
import colour_demosaicing as c
import numpy as np

raw = np.load(sys.argv[1])
forms = {
    "bilinear": c.demosaicing_CFA_Bayer_bilinear,
    "malvar": c.demosaicing_CFA_Bayer_Malvar2004,
    "menon": c.demosaicing_CFA_Bayer_Menon2007,
}
patterns = sys.argv[3:]
pictures = {f"{name} {pattern}": form(raw, pattern) for name, form in forms.items() for pattern in patterns}
np.savez(sys.argv[2], **pictures)
"""


@pytest.fixture(scope="module")
def references(tmp_path_factory) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
    """A mosaic and its pictures by the package, in a process of its own: its import changes how numpy prints."""
    folder: Path = tmp_path_factory.mktemp("reference")
    raw = np.random.default_rng(0).random((60, 75))
    np.save(folder / "raw.npy", raw)
    files = str(folder / "raw.npy"), str(folder / "pictures.npz")
    subprocess.run([sys.executable, "-c", REFERENCE, *files, *PATTERNS], check=True)
    with np.load(files[1]) as pictures:
        return torch.tensor(raw), dict(pictures)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("method", METHODS)
def test_it_is_the_published_one_but_at_borders(references, method, pattern):
    raw, pictures = references
    expected = pictures[f"{method} {pattern}"].transpose(2, 0, 1)[:, 10:-10, 10:-10]
    for precise, tolerance in ((raw, 1e-12), (raw.float(), 1e-5)):
        ours = demosaic(precise, pattern, method)[:, 10:-10, 10:-10].numpy()
        assert np.abs(ours - expected).max() < tolerance


@pytest.mark.parametrize("pattern", PATTERNS)
def test_sites_are_the_letters_of_the_pattern(pattern):
    picture = torch.tensor([1.0, 2.0, 3.0])[:, None, None].expand(3, 4, 6)
    raw = mosaic(picture, pattern)
    letters = ["_RGB"[int(value)] for value in raw[:2, :2].flatten()]
    assert "".join(letters) == pattern
    assert torch.equal(raw[2:, 4:], raw[:2, :2])
    assert [channel for channel, _ in sites(pattern)] == ["RGB".index(letter) for letter in pattern]


sizes = st.tuples(st.integers(16, 26), st.integers(16, 26))


@given(sizes, st.sampled_from(PATTERNS), st.sampled_from(METHODS), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_colour_without_detail_is_exact_up_to_the_borders(size, pattern, method, color):
    picture = torch.tensor(color)[:, None, None].expand(3, *size)
    torch.testing.assert_close(demosaic(mosaic(picture, pattern), pattern, method), picture, atol=1e-6, rtol=0)


@given(sizes, st.sampled_from(PATTERNS), st.sampled_from(METHODS), st.integers(0, 99))
def test_red_and_blue_are_alike(size, pattern, method, seed):
    raw = torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    swapped = pattern.translate(str.maketrans("RB", "BR"))
    torch.testing.assert_close(demosaic(raw, swapped, method), demosaic(raw, pattern, method).flip(0))


@given(sizes, st.sampled_from(PATTERNS), st.sampled_from(("bilinear", "malvar")), st.integers(0, 99))
def test_filters_keep_the_samples_that_are_there(size, pattern, method, seed):
    raw = torch.rand(size, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(mosaic(demosaic(raw, pattern, method), pattern), raw, atol=1e-6, rtol=0)


def test_menon_refines_but_by_what_it_added():
    raw = torch.rand(40, 40, generator=torch.Generator().manual_seed(3))
    kept = mosaic(demosaic(raw, "GRBG", "menon"), "GRBG")
    torch.testing.assert_close(kept, raw, atol=1e-6, rtol=0)


def test_a_mosaic_is_not_too_small():
    with pytest.raises(ValueError, match="at least 16 pixels"):
        demosaic(torch.zeros(15, 20), "RGGB", "menon")
