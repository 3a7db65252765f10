"""Where the top-level provision/ and Vagrantfile.j2 are: in a checkout or in the wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_INSTALLED = _PACKAGE / "_assets"

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
PROVISION = ROOT / "provision"
TEMPLATES = PROVISION / "templates"
IMAGE_FILES = PROVISION / "image"
DRILL_FILES = PROVISION / "drill"
