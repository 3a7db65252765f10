"""A service of another package: what goes wrong in it is told as its own mistake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from labbuilder import services as lb
from labbuilder.drill.faults import faults
from labbuilder.errors import HostError
from labbuilder.plan import build_plan
from labbuilder.plan.load import spec_from_values
from labbuilder.services import registry
from labbuilder.verify.checks import checks_for


class Own(lb.Service):
    name = "own"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    registry.outside.cache_clear()
    yield
    registry.outside.cache_clear()


def bring(monkeypatch: pytest.MonkeyPatch, service: type[lb.Service]) -> lb.Plan:
    entry = SimpleNamespace(name="own", value="own:Own", load=lambda: service)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [entry])
    return build_plan(spec_from_values(services={"own": {}}))


def test_its_exception_is_told_with_its_name_file_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Own):
        def checks(self, lab: lb.Plan, me: lb.MachinePlan) -> Iterable[lb.Check]:
            machines: Any = lab.machines
            return (machines["server1"],)

    plan = bring(monkeypatch, Wrong)
    with pytest.raises(HostError, match="the service own failed when it was asked for its checks") as caught:
        checks_for(plan)
    assert caught.value.details is not None
    assert "test_outside.py:" in caught.value.details
    assert "TypeError: tuple indices" in caught.value.details


def test_a_fault_is_not_called_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Own):
        def faults(self, lab: lb.Plan) -> Iterable[lb.Fault]:
            yield lb.Fault("crash-primary", "mine", hits=("server1",), steps=(lb.Shell("server1", "true", "true"),))

    plan = bring(monkeypatch, Wrong)
    with pytest.raises(HostError, match="two faults are called crash-primary"):
        faults(plan)


def test_a_step_is_not_called_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Own):
        def steps(self, lab: lb.Plan, me: lb.MachinePlan) -> Iterable[lb.Step]:
            yield lb.Step("dns", "mine", "true", "true")

    with pytest.raises(HostError, match="two steps of server1 are called dns"):
        bring(monkeypatch, Wrong)


def test_one_package_without_its_comma_is_no_list_of_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Own):
        packages = "chrony"  # type: ignore[assignment]

    with pytest.raises(HostError, match="the service own can't be loaded") as caught:
        bring(monkeypatch, Wrong)
    assert "not the text 'chrony'" in str(caught.value.details)
