"""Reading and writing a spec; every wrong value is named with its place."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from labbuilder.errors import SpecError
from labbuilder.host.store import LAB_NAME, NAME_RULE
from labbuilder.spec.base import HOST_NAME, Model, Place, Problem
from labbuilder.spec.models import LabSpec

_KEYS_NEAR_ENOUGH = 0.6
_SHORT = reprlib.Repr()  # aliases of aliases make values that no memory holds as text
_SHORT.maxstring = _SHORT.maxother = 80
_PATTERNS = dict.fromkeys((HOST_NAME, LAB_NAME), f"allowed: {NAME_RULE}")
_RESOLUTION = "labbuilder schema prints what is allowed; docs/reference.md explains it"


Problems = Callable[[LabSpec], Iterable[Problem]]


def _none(spec: LabSpec) -> Iterable[Problem]:
    del spec
    return ()


def load_spec(path: Path, problems: Problems = _none) -> LabSpec:
    """Read a spec from a YAML file.

    Args:
        path: The file.
        problems: Says what can't be together; `labbuilder.plan.load` looks for all that is known.

    Raises:
        SpecError: It can't be read or is no spec; all its problems, each with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise SpecError(
            brief=f"{path} can't be read: {reason}", resolution="labbuilder init writes a spec to start from"
        ) from error
    return parse_spec(text, str(path), problems)


def parse_spec(text: str, source: str, problems: Problems = _none) -> LabSpec:
    """Read a spec from YAML text.

    Args:
        text: The YAML.
        source: What errors call it: the file's name.
        problems: Says what can't be together.

    Raises:
        SpecError: All its problems, each with its line.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, source) from error
    except (ValueError, RecursionError) as error:  # 2024-13-45 is read as a date; brackets without end
        raise SpecError(
            brief=f"{source} can't be read: {error}", resolution="quote what is no date or number"
        ) from error
    if not isinstance(values, dict):
        content = "is empty" if values is None else f"holds a {type(values).__name__}, not keys and values"
        raise SpecError(brief=f"{source} {content}", resolution="labbuilder init writes a spec to start from")
    lines: dict[Place, int] = {}
    doubled: list[Problem] = []
    _note_lines(node, lines, doubled)
    return _validated(values, problems, doubled, lines, source)


def spec_from_values(problems: Problems = _none, /, **values: Any) -> LabSpec:
    """A spec from Python values, with the same errors as a file's.

    Raises:
        SpecError: All problems, each with its place.
    """
    return _validated(values, problems, [], {}, "")


def dump_spec(spec: LabSpec) -> str:
    """The spec as YAML that reads back without loss; what was left at its default is left out."""
    values = spec.model_dump(mode="json", exclude_defaults=True)
    values = {"name": spec.name, **values}
    if spec.dhcp.pool is not None:
        values["dhcp"]["pool"] = str(spec.dhcp.pool)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def spec_differences(before: LabSpec, after: LabSpec) -> list[str]:
    """What one says and the other says otherwise, each value by its place."""
    old, new = (dict(_values(spec.model_dump(mode="json"))) for spec in (before, after))
    both = {_shown(place): [values.get(place) for values in (old, new)] for place in old | new}
    shown = {place: ["nothing" if value is None else value for value in pair] for place, pair in both.items()}
    return [
        f"{place}: {there} is there, {asked} is asked for" for place, (there, asked) in shown.items() if there != asked
    ]


def _values(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Each value that holds no others, with its place."""
    if isinstance(value, dict | list):
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _values(inner, (*place, part))
    else:
        yield place, value


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec file, with its short forms; for editors."""
    schema = LabSpec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "labbuilder lab"
    for kind, most in (("servers", 2), ("clients", 200)):
        whole = schema["properties"][kind]
        described = {key: whole.pop(key) for key in ("description", "default", "title") if key in whole}
        whole["items"] = {"anyOf": [whole["items"], {"type": "string"}]}
        count = {"type": "integer", "minimum": 1 if kind == "servers" else 0, "maximum": most}
        schema["properties"][kind] = {"anyOf": [whole, count], **described}
    pool = schema["$defs"]["Dhcp"]["properties"]["pool"]
    pool["anyOf"].insert(0, {"type": "string", "pattern": r"^[0-9.]+ *- *[0-9.]+$"})
    return schema


def _validated(
    values: dict[str, Any], cross_check: Problems, doubled: list[Problem], lines: dict[Place, int], source: str
) -> LabSpec:
    problems = list(doubled)
    spec = None
    try:
        spec = LabSpec.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error)
    else:
        problems += cross_check(spec)
    if spec is not None and not problems:
        return spec
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    details = "\n".join(_placed(place, text, lines, source) for place, text in problems)
    name = source or "the spec"
    raise SpecError(brief=f"{count} in {name}", details=details, resolution=_RESOLUTION)


def problems_of(error: ValidationError, model: type[Model] = LabSpec, below: Place = ()) -> Iterator[Problem]:
    """Return what a model refuses, in our words.

    Args:
        error: What it raised.
        model: The model.
        below: Its place in the spec.
    """
    for detail in error.errors(include_url=False):
        yield from ((below + place, text) for place, text in _problems_of(detail, model))


def _problems_of(detail: ErrorDetails, root: type[Model]) -> list[Problem]:
    cause = detail.get("ctx", {}).get("error")
    place = tuple(part for part in detail["loc"] if not str(part).startswith("function-"))
    if place and place[-1] == "AddressRange":
        place = place[:-1]
    if detail["type"] == "extra_forbidden":
        return [(place, f"unknown key{_nearest(place, root)}")]
    if detail["type"] == "missing":
        return [(place, "is missing")]
    text = str(cause) if isinstance(cause, ValueError) else detail["msg"]
    if detail["type"] == "string_pattern_mismatch":
        text = _PATTERNS.get(detail["ctx"]["pattern"], text)
    text = text[0].lower() + text[1:]
    return [(place, f"{_SHORT.repr(detail['input'])}: {text}")]


def _nearest(place: Place, root: type[Model]) -> str:
    """The known key that was probably meant, else all keys that are known there."""
    model: Any = root
    for part in place[:-1]:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = _model_in(model.model_fields[part].annotation)
    known = list(getattr(model, "model_fields", {}))
    near = difflib.get_close_matches(str(place[-1]), known, 1, _KEYS_NEAR_ENOUGH)
    return f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(known)}"


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        model = _model_in(argument)
        if model is not None:
            return model
    return None


def _placed(place: Place, text: str, lines: dict[Place, int], source: str) -> str:
    known = place
    while known not in lines and known:
        known = known[:-1]
    line = f"{source}:{lines[known]}: " if known in lines else ""
    return f"{line}{_shown(place) or 'lab'}: {text}"


def _shown(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _note_lines(root: yaml.Node | None, lines: dict[Place, int], doubled: list[Problem]) -> None:
    """Remember the line of every key and item; a key said twice in one mapping is a problem."""
    pending: list[tuple[yaml.Node | None, Place]] = [(root, ())]
    known: set[int] = set()
    while pending:
        node, place = pending.pop()
        if id(node) in known:  # an alias, which may lie in what it stands for
            continue
        known.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for key, value in node.value:
                where = (*place, str(key.value))
                if key.value in names:
                    doubled.append((where, f"is said twice, again in line {key.start_mark.line + 1}"))
                names.add(key.value)
                lines.setdefault(where, key.start_mark.line + 1)
                pending.append((value, where))
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                lines[*place, index] = item.start_mark.line + 1
                pending.append((item, (*place, index)))


def _syntax_error(error: yaml.YAMLError, text: str, source: str) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if mark is None:
        return SpecError(brief=f"{source} is no YAML", details=problem)
    rows = text.splitlines()
    row = rows[mark.line] if mark.line < len(rows) else ""
    return SpecError(
        brief=f"{source}:{mark.line + 1}: not YAML: {problem}",
        details=f"{row}\n{' ' * mark.column}^",
        resolution="mend that line: keys end with a colon, and what belongs to a key is indented with spaces",
    )
