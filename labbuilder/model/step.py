"""What is done in a machine: files, and the commands that put them into effect."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class RenderedFile:
    """A file as it will stand in a machine."""

    path: str
    text: str
    mode: int = 0o644

    @property
    def sha256(self) -> str:
        """The hash that the machine's own copy is compared by."""
        return hashlib.sha256(self.text.encode()).hexdigest()


SECRET = "@secret@"  # noqa: S105  where the secret stands in the text of a `SecretFile`


@dataclass(frozen=True)
class SecretFile:
    """A file with a secret in it that machines of one lab share, and nobody else sees.

    The secret is made once a lab and kept beside its keys; it is no part of the plan, and is put in when the file is
    written.

    Attributes:
        secret: The secret's name; files of one name have one secret, 32 random bytes as base64.
        text: The file's text, with `SECRET` in the secret's place.
    """

    path: str
    secret: str
    text: str
    mode: int = 0o600


@dataclass(frozen=True)
class Step:
    """One step of a machine's configuration: its files, and the commands that test, apply and await it.

    All commands are run by `sh -eu` as root in the machine. A step is applied when one of its files
    differs or when ``holds`` fails; so a second run over an unchanged machine does nothing.

    Attributes:
        name: Unique in the machine: "network", "dhcp", "nat".
        title: What a reader calls it: "DHCP failover (isc-dhcp-server)".
        files: The files that belong to it, in no particular order.
        prepare: Makes what is the machine's own, unless it is there, before the new files are tested.
        validate: The daemon's own test of a new file, before it is put in place, as pairs of file path and
            command; "{new}" stands for the path where the new text lies. A failing one puts nothing in place.
        holds: Ends with 0 when the step is in effect *now*. It reads the kernel, systemd or the daemon,
            never just the file.
        apply: Brings it into effect after the files are in place.
        settle_s: After ``apply``, ``holds`` is asked again and again for so many seconds.
        nudge: Run once when ``holds`` is still failing a second after ``apply``.
        after: "machine:step" pairs that must be in effect before this one is applied.
        awaits: It only waits for what is said in ``after``: when one of those is applied again it is awaited again, and
            where machines are configured one after the other the last of them waits for all.
        seeds: Files that are written where there are none, and are the daemon's own afterwards: they are not compared.
        secrets: Files with a secret that machines share.
        own: Files that the machine makes by itself, as who configures by hand must; `up` writes none of them.
        given: What other machines give it, as text: when that is another, it is applied again.
        units: Units of systemd that it switches on: when it is applied again, what masks them or drops in beside its
            own files goes first.
        clears: Takes away what somebody else has put in its way; run before it is applied again.
    """

    name: str
    title: str
    holds: str
    apply: str
    files: tuple[RenderedFile, ...] = ()
    prepare: str = "true"
    validate: tuple[tuple[str, str], ...] = ()
    settle_s: float = 30.0
    nudge: str | None = None
    after: tuple[str, ...] = ()
    awaits: bool = False
    seeds: tuple[RenderedFile, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    own: tuple[RenderedFile, ...] = ()
    given: str = ""
    units: tuple[str, ...] = ()
    clears: str = "true"
