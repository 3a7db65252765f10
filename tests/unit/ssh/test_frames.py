"""What stands around an answer is passed over, and what breaks it is told."""

from __future__ import annotations

import os
import subprocess

import pytest

from labbuilder.ssh import frames

MARK = "@labbuilder-0"


def read(text: str) -> dict[int, tuple[int, str, str]]:
    found = frames.read_many(text, MARK, "server1", ["a", "b"])
    return {number: (result.code, result.stdout, result.stderr) for number, result in found.items()}


def test_what_others_print_around_the_answers_is_passed_over() -> None:
    text = f"Welcome!{MARK}\nlate rc\n{MARK} 1 0 3 0\nyes\nrc again\n{MARK} 0 7 0 4\nno!\n\n"
    assert read(text) == {1: (0, "yes", ""), 0: (7, "", "no!\n")}


def test_an_answer_that_is_cut_off_is_none() -> None:
    text = f"{MARK}\n{MARK} 1 0 3 0\nyes\n{MARK} 0 0 9 0\nyes"
    assert read(text) == {1: (0, "yes", "")}


@pytest.mark.parametrize("text", [f"{MARK} 0 0 3 0\nyesterday\n", f"{MARK} 5 0 3 0\nyes\n"])
def test_what_is_written_into_an_answer_is_told(text: str) -> None:
    with pytest.raises(frames.GarbledError):
        read(text)


def test_no_mark_is_no_answer() -> None:
    assert frames.after_mark("This account is currently not available.\n", MARK) is None
    assert frames.after_mark(f"hello {MARK}\nit\n", MARK) == "it\n"


def test_any_text_of_a_script_reaches_its_shell() -> None:
    script = "printf '%s' \"it's a \\\\ñ\" '$HOME' `echo x`"
    silent, input_end = os.pipe()  # an attached script ends with its input
    for asked in (script, frames.attached(script)):
        words = ["/bin/sh", "-c", frames.line(asked, MARK, sudo=False)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, stdin=silent)
        assert frames.after_mark(done.stdout, MARK) == "it's a \\ñ$HOMEx"
    os.close(silent)
    os.close(input_end)


def test_who_is_left_behind_holds_nobody_up() -> None:
    scripts = ["sleep 30 & echo $!", "yes & echo $! >&2; exit 3"]
    words = ["/bin/sh", "-c", frames.many(scripts, MARK, limit_s=20)]
    done = subprocess.run(words, capture_output=True, encoding="latin-1", timeout=15, check=True)
    found = frames.read_many(done.stdout, MARK, "server1", scripts)
    assert [found[0].code, found[1].code] == [0, 3]
    subprocess.run(["kill", found[0].stdout.strip(), found[1].stderr.split()[0]], check=False)
