"""Where the presets lie."""

from pathlib import Path


def preset_dir() -> Path:
    """Folder of the presets: inside an installed wheel, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    return package / "configs" if (package / "configs").is_dir() else package.parent / "configs"
