"""What the sections of a spec have in common, and how they say what can't be together."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Place = tuple[str | int, ...]
Problem = tuple[Place, str]
HOST_NAME = r"^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$"
HostName = Annotated[str, StringConstraints(pattern=HOST_NAME)]


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CrossCheckError(ValueError):
    """Values that are right one by one and can't be together."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems
