"""The Python of docs/drills.md: a recorded drill drawn again, and a fault of one's own on a lab of no machines."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from drills import recorded
from fake_drill import FakeLab

from labbuilder import report

PAGE = Path(__file__).resolve().parents[2] / "docs/drills.md"
OWN_FAULT, DRAWN_AGAIN = (
    textwrap.dedent(block)
    for block in re.findall(r"(?:^    from .*\n)(?:^    .*\n|^\n(?=    ))+", PAGE.read_text("utf-8"), re.MULTILINE)
)


def test_a_kept_report_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report.write([recorded()], "report.json")
    exec(DRAWN_AGAIN, {})
    assert '<html lang="es">' in Path("page.html").read_text("utf-8")


def test_a_fault_of_ones_own_is_carried_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = FakeLab(tmp_path)

    @contextmanager
    def locked() -> Iterator[FakeLab]:
        with lab.patched():
            yield lab

    exec(OWN_FAULT, {"lab": SimpleNamespace(locked_session=locked)})
    assert capsys.readouterr().out == "0.5\n"
    own = [done for done in lab.done if "systemctl" in done and "server2" in done]
    assert own == ["server2: systemctl stop isc-dhcp-server", "server2: systemctl start isc-dhcp-server"]
