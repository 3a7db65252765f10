"""The reference of the Python API is made from the docstrings, without a warning."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import labbuilder

ROOT = Path(__file__).resolve().parents[2]
WORD = re.compile(r"`(\w+)`")


def test_make_docs_has_every_public_name() -> None:
    said = subprocess.run(["make", "docs"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Warn" not in said.stdout + said.stderr
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "build/api/labbuilder").rglob("*.html"))
    for name in (*labbuilder.__all__, "add_server", "RejectedConfigError", "mclt_s"):
        assert name == "__version__" or f'id="{name}"' in pages or f'.{name}"' in pages, name


def test_the_table_of_words_is_labs_own() -> None:
    rows = [line for line in (ROOT / "docs/reference.md").read_text().splitlines() if line.startswith("| `")]
    head = next(number for number, line in enumerate(rows) if line.startswith("| `Lab` |"))
    told = {
        word
        for line in rows[head + 1 :]
        for cell in (line.split("|")[1], line.split("|")[3])
        for word in WORD.findall(cell)
    }
    there = {name for name in vars(labbuilder.Lab) if not name.startswith("_")}
    assert there <= told
    assert {word for line in rows[head + 1 :] for word in WORD.findall(line.split("|")[1])} <= there
