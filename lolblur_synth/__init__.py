"""LOL-Blur training pairs from slow-motion video.

>>> import lolblur_synth as lb
>>> config = lb.load_config("night", overrides=["seed=3"])
>>> config.darken.exposure
(0.05, 0.16)

`plan_run` and `execute` make a dataset, `read_dataset` reads it, `synthesize` is the method itself, `load_restorer` a
trained network. They load what they need when they are asked for: the import itself takes no time.

Conventions of every module: images are RGB, float32, sRGB-encoded in [0, 1] unless a name says `linear` or
`lightness`; one frame is (3, H, W), several are (T, 3, H, W); BGR exists in `video/images.py` only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lolblur_synth.core.version import __version__ as __version__

if TYPE_CHECKING:
    from lolblur_synth.apps.restore import load_restorer
    from lolblur_synth.config.loading import load_config
    from lolblur_synth.dataset.reader import read_dataset
    from lolblur_synth.run.execute import execute
    from lolblur_synth.run.planning import plan_run
    from lolblur_synth.synthesis.pipeline import synthesize


__all__ = ["__version__", "execute", "load_config", "load_restorer", "plan_run", "read_dataset", "synthesize"]

_ROOMS = {
    "execute": "run.execute",
    "load_config": "config.loading",
    "load_restorer": "apps.restore",
    "plan_run": "run.planning",
    "read_dataset": "dataset.reader",
    "synthesize": "synthesis.pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
