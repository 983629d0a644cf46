"""What the maker tells of a dataset, in its `about.yaml`: settings without a pixel, a file such as `--config` takes."""

from pathlib import Path

from lolblur_synth.config.about import About
from lolblur_synth.config.loading import load, to_yaml
from lolblur_synth.config.run import Config
from lolblur_synth.core.files import write_text

ABOUT = "about.yaml"


def about_layers(root: Path) -> list[str]:
    """What is told of a dataset until now, as a layer of configuration; none where nothing is."""
    return [str(root / ABOUT)] if (root / ABOUT).is_file() else []


def read_about(root: Path) -> About:
    """What is told of a dataset; raises `UserError` for a file that holds something else."""
    return load(Config, about_layers(root)).about


def write_about(root: Path, about: About) -> None:
    """Write what is told of a dataset."""
    write_text(root / ABOUT, to_yaml(Config(about=about), set(Config.model_fields) - {"about"}))
