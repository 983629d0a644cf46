"""Prints the lowest versions of what pyproject.toml names, as pip's constraints."""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for text in (
    *project["dependencies"],
    *(text for extra in project["optional-dependencies"].values() for text in extra),
):
    requirement = Requirement(text)
    bounds = [clause.version for clause in requirement.specifier if clause.operator == ">="]
    sys.stdout.writelines(f"{requirement.name}=={bound}\n" for bound in bounds)
