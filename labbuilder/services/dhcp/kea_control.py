"""Kea's control channel: how it is asked, and what its answers mean (Kea's manual, "Management API", "ha" hook)."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

SOCKET = "nc -N -w 5 -U /run/kea/kea4-ctrl-socket"


def command(name: str, **arguments: Any) -> str:
    """Return a command as JSON."""
    return json.dumps({"command": name} | ({"arguments": arguments} if arguments else {}))


def tell(name: str, **arguments: Any) -> str:
    """Return shell that tells Kea a command and prints its answer."""
    return f"echo {shlex.quote(command(name, **arguments))} | {SOCKET}"


@dataclass(frozen=True)
class Status:
    """What `status-get` says of the pair, as this server sees it.

    Attributes:
        state: Its own.
        partner: The partner's last state that it knows of; empty where it never heard of one.
        mode: hot-standby or load-balancing.
        role: primary, secondary or standby.
        scopes: The servers whose clients it answers.
    """

    state: str
    partner: str
    mode: str
    role: str
    scopes: tuple[str, ...]


def answers(printed: str) -> list[dict[str, Any]]:
    """Read answers that follow each other.

    Raises:
        ValueError: One is no JSON object.
    """
    decoder, end, found = json.JSONDecoder(), 0, []
    while end < len(printed.rstrip()):
        answer, end = decoder.raw_decode(printed, end)
        if not isinstance(answer, dict):
            raise ValueError(f"no answer of Kea: {answer!r}"[:100])  # noqa: TRY004  what is read is wrong, no argument
        found.append(answer)
        end += len(printed[end:]) - len(printed[end:].lstrip())
    return found


def status(answer: dict[str, Any]) -> Status:
    """Read the answer to `status-get` of a server of a pair.

    Raises:
        ValueError: It is another answer, or that of a Kea without a partner.
    """
    try:
        pair = answer["arguments"]["high-availability"][0]
        local, remote = pair["ha-servers"]["local"], pair["ha-servers"]["remote"]
        return Status(
            local["state"], remote.get("last-state", ""), pair["ha-mode"], local["role"], tuple(local["scopes"])
        )
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError("no status of a pair") from error


def both_are(state: str, partner: IPv4Address, port: int) -> str:
    """Return shell that ends with 0 when both peers are in that state, each by its own word and the other's.

    And the partner must have met this Kea since it started: one that is restarted within a heartbeat is not missed, its
    partner trips over the dead connection a second later. A machine has no JSON parser: of each answer the few values
    are matched by their names.
    """
    asked = command("status-get")
    head = f"POST / HTTP/1.0\\r\\nContent-Type: application/json\\r\\nContent-Length: {len(asked)}\\r\\n\\r\\n"
    both = f'"local": {{[^}}]*"state": "{state}".*"last-state": "{state}"'
    number = "\\([0-9]*\\)"
    return (
        f"mine=$(echo '{asked}' | {SOCKET}) && theirs=$(printf '{head}{asked}' | nc -N -w 2 {partner} {port}) && "
        f"echo \"$mine\" | grep -q '{both}' && echo \"$theirs\" | grep -q '{both}' && "
        f'[ "$(echo "$theirs" | sed -n \'s/.*"age": {number}.*/\\1/p\')" -lt '
        f'"$(echo "$mine" | sed -n \'s/.*"uptime": {number}.*/\\1/p\')" ]'
    )


def state_matches(pattern: str) -> str:
    """Return shell that ends with 0 when this Kea's own state fits the pattern of grep."""
    return f'{tell("status-get")} | grep -q \'"local": {{[^}}]*"state": "{pattern}\''
