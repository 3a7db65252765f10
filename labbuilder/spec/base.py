"""What the sections of a spec have in common, and how they say what can't be together."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Place = tuple[str | int, ...]
Problem = tuple[Place, str]


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CrossCheckError(ValueError):
    """Values that are right one by one and can't be together."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems
