"""Both languages have every text, and say numbers their own way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import labbuilder.report
from labbuilder.drill import titles
from labbuilder.errors import SpecError
from labbuilder.report.figures import Found
from labbuilder.report.words import LANGUAGES, Words, texts
from labbuilder.verify import Verdict

FOLDER = Path(labbuilder.report.__file__).parent
OWN = {key: text for key, text in texts().items() if not key.startswith("drill_")}


@pytest.mark.parametrize("key", OWN)
def test_both_languages_have_the_text(key: str) -> None:
    text = OWN[key]
    assert tuple(text) == LANGUAGES
    assert all(isinstance(words, str) and words.strip() for words in text.values())
    assert len({tuple(sorted(re.findall(r"\{(\w+)\}", words))) for words in text.values()}) == 1


def test_every_drill_has_a_spanish_title() -> None:
    assert {key.removeprefix("drill_") for key in texts() if key.startswith("drill_")} == set(titles())


def test_no_text_is_unused() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*") if path.suffix in (".py", ".j2"))
    made = {f"{head}_{found}" for head in ("summary", "outage", "note") for found in Found}
    made |= {f"verdict_{verdict}" for verdict in Verdict}
    made |= {f"kind_{kind}" for kind in ("new", "renew", "rebind")}
    made |= {
        f"{head}_{what}" for head in ("event", "flag") for what in ("fault", "takeover", "repair", "normal", "state")
    }
    made |= {f"{head}_{found}_late" for head in ("summary", "outage") for found in (Found.UNANSWERED, Found.UNASKED)}
    made |= {"seen_unanswered", "seen_unanswered_late", "kind_connect"}
    own = ("outage_of", "longest_wait_of", "outages_head", "answers_head", "answers_note", "acks", "stopwatch")
    made |= {
        f"{key}_{which}"
        for key in (*own, "claim_served", "claim_served_late")
        for which in ("addresses", "world", "other")
    }
    made |= {"summary_wait", "summary_wait_late", "summary_unserved", "summary_unserved_late"}
    made |= {f"claim_{key}" for key in ("outage", "duplicates", "lost", "verified")} | {
        "duplicates_head",
        "lost_head",
    }
    assert [key for key in OWN if key not in made and f'"{key}"' not in source] == []


def test_numbers_are_the_languages_own() -> None:
    assert (Words("en").seconds(1.234), Words("es").seconds(1.234)) == ("1.23 s", "1,23 s")
    assert (Words("en").seconds(0.0412), Words("es").seconds(0.0012)) == ("41 ms", "1,2 ms")
    assert Words("en").moment(-4.0) == "\u22124.00 s"


def test_another_language_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        Words("de")
    assert caught.value.resolution == "use en or es"
