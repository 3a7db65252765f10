"""What the sections of a spec have in common."""

from __future__ import annotations

from collections.abc import Container, Iterable
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

Place = tuple[str | int, ...]
Problem = tuple[Place, str]
HOST_NAME = r"^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$"
HostName = Annotated[str, StringConstraints(pattern=HOST_NAME)]


def written(value: object) -> object:
    """Return what is no number: YAML reads some addresses that lack a dot as one.

    Raises:
        ValueError: It is one.
    """
    if isinstance(value, int):
        raise ValueError("a number is no address; allowed: four numbers with dots between them")  # noqa: TRY004  pydantic
    return value


Address = Annotated[IPv4Address, BeforeValidator(written)]


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def problems(self, machines: Container[str]) -> Iterable[Problem]:
        """Return what can't be together in it, or in a lab with machines of these names; places are relative to it."""
        del machines
        return ()
