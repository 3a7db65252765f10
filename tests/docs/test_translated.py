"""The Spanish tutorial says what the English one does, whose commands are run by test_commands."""

from __future__ import annotations

from pages import commands

NAMES = {"simulacro.html": "drill.html", "ficheros/": "files/"}
REPORT = " --language es"  # docs/drills.md has it run


def test_the_spanish_tutorial_has_the_commands_of_the_english_one() -> None:
    spanish = commands("docs/primeros-pasos.md")
    assert [command for command in spanish if command.endswith(REPORT)] == [
        f"labbuilder drill crash-primary --report simulacro.html{REPORT}"
    ]
    for own, english in NAMES.items():
        spanish = [command.replace(own, english).removesuffix(REPORT) for command in spanish]
    assert spanish == commands("docs/first-steps.md")
    assert any(command.endswith(REPORT) for command in commands("docs/drills.md"))
