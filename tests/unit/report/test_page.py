"""The HTML page, without a browser."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from drills import NAMES, felt, recorded, with_names, wrong

import labbuilder.report
from labbuilder import report
from labbuilder.drill.model import DrillResult, Kind
from labbuilder.errors import SpecError
from labbuilder.report import figures
from labbuilder.report.ladder import ladders
from labbuilder.report.timeline import RIGHT, timeline
from labbuilder.report.words import Words

HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}"
VOID = {"meta", "link", "br"}


class Tags(HTMLParser):
    """Every tag with its attributes; tags that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(page)
        self.wrong += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def spoiled(value: Any) -> Any:
    """The result with every text of it hostile, but for words that decide what is drawn."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {"what", "type", "verdict", "kind", "condition", "counted", "stopwatch", "key"}
        return replace(value, **{f.name: spoiled(getattr(value, f.name)) for f in fields(value) if f.name not in kept})
    if isinstance(value, tuple):
        return tuple(map(spoiled, value))
    if isinstance(value, dict):
        return {spoiled(key): spoiled(item) for key, item in value.items()}
    return value + HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize(("name", "language"), [(name, language) for name in NAMES for language in ("en", "es")])
def test_tags_are_closed_and_ids_are_one_each(name: str, language: str) -> None:
    tags = Tags(report.html([recorded(name), recorded()], language=language))
    assert tags.wrong == []
    ids = [attributes["id"] for _, attributes in tags.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [word for _, a in tags.tags for word in (a.get("aria-labelledby") or "").split()]
    assert named
    assert set(named) <= set(ids)
    links = [a["href"] for tag, a in tags.tags if tag == "a"]
    assert [str(link).removeprefix("#") for link in links] == ["drill1", "drill2"]


def test_nothing_hostile_becomes_markup() -> None:
    told = wrong(replace(recorded(), load="60 %"), duplicates=("a",), lost=("b",))
    plain, bad = (Tags(report.html([result, result])) for result in (told, spoiled(told)))
    assert {tag for tag, _ in bad.tags} == {tag for tag, _ in plain.tags}
    assert "script" not in {tag for tag, _ in bad.tags}
    assert not [a for _, a in bad.tags if any(name.startswith("on") for name in a)]
    assert "49" not in report.html([replace(recorded(), lab="{{ 7*7 }}")]).partition("lab:")[2][:12]


def test_nothing_is_fetched() -> None:
    page = report.html([recorded()])
    policy = "default-src &#39;none&#39;"
    assert "default-src 'none'" in page or policy in page
    assert re.findall(r"""(?:src|href|xlink:href)=["']?(?!#|data:,)[^"' >]+""", page) == []
    assert re.findall(r"(?:@import|url\((?!#))", page) == []


def test_the_page_has_what_was_measured() -> None:
    result = recorded("isc-manual")
    page = report.html([result], limit_s=0.01)
    for said in (result.title, *result.versions.values(), figures.command(result), result.lab, "takeover"):
        assert said.replace("'", "&#39;") in page
    assert page.count('<td class="when">') == min(len(result.messages), 400) + len(result.events)
    assert page.count("<code>") == len(result.verification.outcomes) + 1
    assert "failed" in page


def test_failures_stand_before_the_rest() -> None:
    result = recorded()
    lost = wrong(result, lost=("06:aa: 192.168.1.9 was refused by server2",))
    page = report.html([lost])
    assert "192.168.1.9 was refused by server2" in page
    assert "192.168.1.9 was refused" not in report.html([result])


def test_several_drills_get_a_table_and_one_gets_none() -> None:
    assert 'class="index"' not in report.html([recorded()])
    assert 'class="index"' in report.html([recorded(name) for name in NAMES])


def test_a_spanish_page_says_verdicts_in_spanish_and_repeats_itself_in_it() -> None:
    page = report.html([recorded()], language="es")
    assert "✓ superada</td>" in page
    assert "✓ pass" not in page
    assert "--seed 1 --language es</code>" in page


def test_another_language_is_refused() -> None:
    with pytest.raises(SpecError):
        report.html([recorded()], language="de")


@pytest.mark.parametrize("name", NAMES)
def test_the_timeline_has_every_ack_and_every_wish(name: str) -> None:
    result = recorded(name)
    picture = timeline(result, Words("en").flag)
    assert sum(bar.count for lane in picture.servers for bar in lane.bars) == sum(
        m.type == "ACK" for m in result.messages
    )
    assert sum(len(lane.waits) for lane in picture.waits) == len(result.exchanges)
    assert len(picture.flags) == sum(event.what != "state" for event in result.events)
    assert sum(len(lane.spans) for lane in picture.servers) == sum(event.what == "state" for event in result.events)
    for wait in (wait for lane in picture.waits for wait in lane.waits):
        assert picture.left <= wait.x <= wait.end <= RIGHT
        assert (wait.server is None) == (wait.exchange.answered_at_s is None)


def test_who_still_waits_when_the_capture_ends_has_no_cross() -> None:
    result = recorded()
    last = max(message.at_s for message in result.messages)
    new = next(e for e in result.exchanges if e.kind == Kind.NEW)
    late = replace(new, client="06:ff", asked_at_s=last, answered_at_s=None, server=None)
    page, before = (report.html([r]) for r in (felt(result, exchanges=(*result.exchanges, late)), result))
    assert page.count('class="cross"') == before.count('class="cross"')
    assert "06:ff: asked at" in page
    assert "still waiting when the capture ended" in page


@pytest.mark.parametrize("name", NAMES)
def test_no_wait_and_no_label_covers_another(name: str) -> None:
    picture = timeline(recorded(name), Words("es").flag)
    for lane in picture.waits:
        for row in {wait.y for wait in lane.waits}:
            ends = sorted((wait.x, wait.end) for wait in lane.waits if wait.y == row)
            assert all(end < start for (_, end), (start, _) in pairwise(ends))
    for row in {flag.row for flag in picture.flags}:
        rooms = [(f, 6.6 * len(Words("es").flag(f.event))) for f in picture.flags if f.row == row]
        spans = sorted((f.x - room, f.x) if f.leftwards else (f.x, f.x + room) for f, room in rooms)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        assert spans[-1][1] <= picture.width


def test_the_outage_spans_from_answer_to_answer() -> None:
    result = recorded("kea-hot-standby")
    picture = timeline(result, Words("en").flag)
    ticks = dict(picture.ticks)
    per_second = ticks[2] - ticks[0]
    (area,) = picture.outages
    begin, end = area.x, area.end
    assert result.outage is not None
    assert (end - begin) / per_second * 2 == pytest.approx(result.outage, abs=0.01)
    assert begin <= ticks[0] < end


@pytest.mark.parametrize("language", ["en", "es"])
def test_another_stopwatch_has_its_tile_its_lane_and_its_tables(language: str) -> None:
    two = with_names(recorded())
    page, one = (report.html([result], language=language) for result in (two, recorded()))
    assert Tags(page).wrong == []
    assert page.count('class="waits"') == one.count('class="waits"') + 1
    assert page.count('class="tile') == one.count('class="tile') + 3
    assert page.count("<h3>") == one.count("<h3>") + 2
    assert {"en": "Who answered: names", "es": "Quién respondió: names"}[language] in page
    assert "c3 is not 192.168.1.9" in page
    assert report.html([two, two]).count("names</h3>") - 4 == report.html([two]).count("names</h3>") - 1


def test_another_stopwatch_has_its_outage_over_its_own_lane() -> None:
    picture = timeline(with_names(recorded()), Words("en").flag)
    addresses, names = picture.outages
    lane = picture.waits[-1]
    assert (names.y, names.height) == (lane.y, lane.height)
    assert addresses.y == picture.head
    assert picture.axis >= lane.y + lane.height
    assert sum(wait.server is None for wait in lane.waits) == 6


def test_who_got_no_answer_stands_beside_a_short_outage() -> None:
    """A full disk: the first answer came after 0.16 s, and most clients got none."""
    few = tuple(replace(o, asked=53, answered=20, seconds=0.16, resolution_s=0.2) for o in recorded().outages)
    result = felt(recorded(), outages=few)
    page, fine = (report.html([r, r], language="en") for r in (result, recorded()))
    assert page.count('class="tile warn"') == 2
    assert page.count('<dd class="unserved">33 unanswered</dd>') == 2
    assert page.count('<br><span class="unserved">33 unanswered</span>') == 2, "in the table of all drills too"
    assert "33 got no answer before the repair." in page
    assert 'class="tile warn"' not in fine


@pytest.mark.parametrize("name", NAMES)
def test_the_ladder_has_the_exchange_before_and_the_one_after(name: str) -> None:
    before, after = ladders(recorded(name))
    assert before is not None
    assert after is not None
    assert before.exchange.answered_at_s is not None
    assert after.exchange.answered_at_s is not None
    assert before.exchange.answered_at_s <= 0 < after.exchange.answered_at_s
    answers = [e.answered_at_s for e in recorded(name).exchanges if e.kind == Kind.NEW and e.answered_at_s is not None]
    between = [at for at in answers if before.exchange.answered_at_s < at < after.exchange.answered_at_s]
    assert between == []
    for ladder in (before, after):
        types = [rung.message.type for rung in ladder.rungs]
        assert list(dict.fromkeys(types)) == ["DISCOVER", "OFFER", "REQUEST", "ACK"]


def test_repeats_are_told_as_a_number() -> None:
    result = recorded()
    before, _ = ladders(result)
    assert before is not None
    first = before.rungs[0].message
    again = [replace(first, at_s=first.at_s + n / 1_000_000) for n in range(1, 6)]
    more = felt(result, messages=tuple(sorted([*result.messages, *again], key=lambda m: m.at_s)))
    ladder, _ = ladders(more)
    assert ladder is not None
    discovers = [rung.hidden for rung in ladder.rungs if rung.message.type == "DISCOVER"]
    assert discovers == [0, 4, 0], "the first, four more, the last"


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", block))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_has_the_contrast_that_wcag_asks_for(scheme: int) -> None:
    css = (Path(labbuilder.report.__file__).parent / "templates/page.css").read_text(encoding="utf-8")
    colours = _colours(re.findall(r":root \{(.*?)\}", css, re.DOTALL)[scheme])
    text = ("ink", "quiet", "good", "warn", "bad", "fault", "s0", "s1", "s2", "s3")
    pairs = [(ink, paper) for ink in text for paper in ("paper", "card")] + [("on", f"s{n}") for n in range(4)]
    pairs += [(ink, "wash") for ink in ("ink", "quiet", "warn")]
    for ink, paper in pairs:
        low, high = sorted((_luminance(colours[ink]), _luminance(colours[paper])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{ink} on {paper}"


def test_a_drill_in_which_nothing_happened_is_still_a_page() -> None:
    empty: DrillResult = felt(
        replace(recorded(), events=()),
        exchanges=(),
        messages=(),
        outages=tuple(replace(o, seconds=None, asked=0, answered=0, longest_wait_s=None) for o in recorded().outages),
    )
    assert Tags(report.html([empty])).wrong == []
