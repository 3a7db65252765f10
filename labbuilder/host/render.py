"""Templates into text: a name that a template wants and does not get is an error."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from labbuilder.host.assets import ROOT, TEMPLATES


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, ROOT]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ruby"] = ruby
    return environment


def render(template: str, **values: Any) -> str:
    """The text of ``provision/templates/TEMPLATE.j2``, or of the top-level one, with these values."""
    return _environment().get_template(f"{template}.j2").render(values)


def ruby(text: str) -> str:
    """A string literal of Ruby: as in JSON, but that # begins an interpolation."""
    return json.dumps(text, ensure_ascii=False).replace("#", "\\#")
