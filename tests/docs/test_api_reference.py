"""The reference of the Python API is made from the docstrings, without a warning."""

from __future__ import annotations

import subprocess
from pathlib import Path

import labbuilder

ROOT = Path(__file__).resolve().parents[2]


def test_make_docs_has_every_public_name() -> None:
    said = subprocess.run(["make", "docs"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Warn" not in said.stdout + said.stderr
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "build/api/labbuilder").rglob("*.html"))
    for name in (*labbuilder.__all__, "add_server", "RejectedConfigError", "mclt_s"):
        assert name == "__version__" or f'id="{name}"' in pages or f'.{name}"' in pages, name
