"""What the pages tell the reader to run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commands(page: str) -> list[str]:
    """What stands in code: indented lines, and inline in numbered steps."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"(?:^    |`)((?:make up|labbuilder) ?[^`\n]*)", text, re.MULTILINE)
