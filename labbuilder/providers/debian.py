"""A root tree of Debian from an image recipe, by mmdebstrap: the same for every provider."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from labbuilder.errors import CommandError, SpecError
from labbuilder.host.run import run_streaming
from labbuilder.model.lab import ImageRecipe
from labbuilder.providers.images import no_room

DEBIAN = "http://deb.debian.org"
# What was killed in the middle must leave no process and no mount of /proc or /sys in a half tree.
_CONTAINED = ("setpriv", "--pdeathsig", "TERM", "--")
_OWN_MOUNTS = ("unshare", "--mount", "--")
_SOURCES = Path("/etc/apt")
# Before the base system is fetched and installed, not a minute after; mmdebstrap's own update then finds it all there.
_LOOK_UP = (
    "export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG; apt-get -qq update && apt-get -qq --simulate install {} >/dev/null"
)


def build_tree(recipe: ImageRecipe, root: Path, note: Callable[[int], None]) -> None:
    """Build the recipe's root tree, unshifted, by mmdebstrap; in a user namespace when we are not root.

    Args:
        recipe: What is in it.
        root: The folder to make, or a file whose name ends in .tar.
        note: Told how many packages were unpacked and set up.

    Raises:
        SpecError: Debian has no package of a name.
        HostError: No room.
        CommandError: mmdebstrap failed; its last lines are in the details.
    """
    done = 0

    def count(line: str) -> None:
        nonlocal done
        done += line.startswith(("Unpacking ", "Setting up "))
        note(done)  # each line is a sign of life

    with tempfile.TemporaryDirectory(prefix="labbuilder-") as scratch:
        Path(scratch).chmod(0o755)  # in the namespace our own files are someone else's
        mode = "root" if os.geteuid() == 0 else "unshare"
        hooks = []
        for index, file in enumerate(recipe.files):
            source = Path(scratch) / str(index)
            source.write_text(file.text, encoding="utf-8")
            source.chmod(0o644)
            hooks.append(f"--customize-hook=install -Dm{file.mode:o} '{source}' \"$1{file.path}\"")
        customize = Path(scratch) / "customize.sh"
        customize.write_text(recipe.customize, encoding="utf-8")
        customize.chmod(0o644)
        answers = "iptables-persistent iptables-persistent/autosave_v{} boolean false"
        preseed = "\\n".join(answers.format(version) for version in (4, 6))
        # fmt: off
        argv: list[str | Path] = [
            *_CONTAINED, *(_OWN_MOUNTS if mode == "root" else ()),
            "mmdebstrap", "--verbose", f"--mode={mode}", "--variant=apt", f"--include={','.join(recipe.packages)}",
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=force-unsafe-io",
            '--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"',
            f"--essential-hook=printf '{preseed}\\n' | chroot \"$1\" debconf-set-selections",
            f"--setup-hook={_LOOK_UP.format(shlex.join(recipe.packages))}",
            *hooks, f"--customize-hook=sh '{customize}' \"$1\"",
            recipe.suite, root, *archives(recipe),
        ]
        # fmt: on
        try:
            run_streaming(argv, count, timeout_s=1800)
        except CommandError as error:
            if "No space left on device" in (error.details or ""):
                raise no_room(root.parent.parent, error.details or "") from error
            if missing := re.findall(r"^E: Unable to locate package (\S+)$", error.details or "", re.MULTILINE):
                raise no_package(recipe.suite, dict.fromkeys(missing)) from error
            error.brief = "the image could not be built"
            error.resolution = "see what mmdebstrap said; `mirror:` in the spec names another Debian mirror"
            raise


def no_package(suite: str, names: Iterable[str]) -> SpecError:
    """Return the error for names that are no package's."""
    return SpecError(
        brief=f"Debian {suite} has no package {', '.join(names)}",
        resolution=f"correct `packages:` in the spec; https://packages.debian.org/{suite}/ has all names",
    )


def archives(recipe: ImageRecipe, apt: Path = _SOURCES) -> tuple[str, ...]:
    """The lines of sources.list that the image is made from, and that its apt keeps.

    The recipe's own mirror is used alone: a local one need not have more than the release.
    """
    main = recipe.mirror or host_mirror(recipe.suite, apt=apt)
    lines = [f"deb {main} {recipe.suite} main"]
    if recipe.mirror is None:
        security = host_mirror(f"{recipe.suite}-security", "debian-security", apt)
        lines += [f"deb {main} {recipe.suite}-updates main", f"deb {security} {recipe.suite}-security main"]
    return tuple(lines)


def host_mirror(suite: str, archive: str = "debian", apt: Path = _SOURCES) -> str:
    """The mirror of a Debian archive that the host itself uses, else Debian's own."""
    mirrors: list[tuple[str, str]] = []
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            keys = dict(re.findall(r"^(URIs|Suites):\s*(.+)$", stanza, re.MULTILINE))
            mirrors += [(uri, keys.get("Suites", "")) for uri in keys.get("URIs", "").split()]
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]:
        if path.exists():
            line = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", re.MULTILINE)
            mirrors += line.findall(path.read_text(encoding="utf-8"))
    debian = [(uri, suites) for uri, suites in mirrors if uri.rstrip("/").endswith(f"/{archive}")]
    same = [uri for uri, suites in debian if suite in suites.split()]
    return (same or [uri for uri, _ in debian] or [f"{DEBIAN}/{archive}"])[0]
