"""How outcomes are written: for people, for programs, for code scanning, for GitHub's annotations."""

from __future__ import annotations

from typing import Literal, get_args

Format = Literal["text", "json", "sarif", "github"]
FORMATS: tuple[Format, ...] = get_args(Format)
