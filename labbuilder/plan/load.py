"""Reading a spec that can be planned: what can't be together is told with its place, as any wrong value is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labbuilder.plan.problems import problems
from labbuilder.services.registry import outside
from labbuilder.spec import load
from labbuilder.spec.models import LabSpec


def load_spec(path: Path) -> LabSpec:
    """Read a spec from a YAML file.

    Raises:
        SpecError: It can't be read or is no spec; all its problems, each with file and line.
    """
    return load.load_spec(path, problems)


def parse_spec(text: str, source: str) -> LabSpec:
    """Read a spec from YAML text; errors call it ``source``.

    Raises:
        SpecError: All its problems, each with its line.
    """
    return load.parse_spec(text, source, problems)


def spec_from_values(**values: Any) -> LabSpec:
    """Return the spec of Python values, with the same errors as a file's.

    Raises:
        SpecError: All problems, each with its place.
    """
    return load.spec_from_values(problems, **values)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a spec file, with the sections of the services from outside that are installed."""
    schema = load.json_schema()
    sections = {}
    for name, service in outside().items():
        section = service.settings.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        schema["$defs"] |= {f"{name}.{key}": part for key, part in section.pop("$defs", {}).items()}
        sections[name] = section
    services = schema["properties"]["services"]
    services.pop("patternProperties", None)
    services |= {"properties": sections, "additionalProperties": False}
    return schema
