"""What a machine lacks of its image is put back from outside, while it runs, by a process that enters its namespaces.

Run as a module with the LEADER of the machine (its init, as the host numbers it) and the IMAGE's root; on standard
input come, as JSON, the machine's own first files (path to text and mode) and files that are put back though they are
there. The paths of what was put back are printed.

What Debian has below /usr is put back when it differs too; elsewhere what differs is the user's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from labbuilder.providers.nspawn import linux

_NAMESPACES = ("user", "mnt", "pid", "net", "uts", "ipc")
_OWN = ("boot", "dev", "home", "media", "mnt", "proc", "root", "run", "srv", "sys", "tmp", "usr/local", "var/log")
_UNUSED = ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt")
_ACCOUNTS = ("etc/passwd", "etc/shadow", "etc/group", "etc/gshadow")
_KEPT = ".before-labbuilder"
_CAPABILITY = "security.capability"
_LISTEN_AGAIN = "systemctl daemon-reload; systemctl restart lab-ssh.socket"


def main(leader: int, image: str, seed: Mapping[str, tuple[str, int]], changed: Collection[str]) -> None:
    """Enter the machine, put back what it lacks, and let it listen for its management again."""
    tree, root = os.open(image, os.O_PATH), os.open(f"/proc/{leader}/root", os.O_PATH)
    for namespace in [os.open(f"/proc/{leader}/ns/{name}", os.O_RDONLY) for name in _NAMESPACES]:
        linux.setns(namespace)
        os.close(namespace)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.fchdir(root)
    os.chroot(".")
    os.umask(0o022)
    for place in (*_uncovered(), *_missing(tree, changed), *_accounts(tree), *_seeded(seed)):
        sys.stdout.write(f"{place}\n")
    sys.stdout.flush()
    if os.fork() == 0:  # only a child is in the machine's PID namespace
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.execve("/bin/sh", ["sh", "-c", _LISTEN_AGAIN], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # noqa: S606
    os.wait()


def _uncovered() -> Iterator[Path]:
    """Remove what somebody has put over the units of the management."""
    for place in (Path("/etc/systemd/system"), Path("/run/systemd/system")):
        for name in ("service", "socket", "lab-ssh.socket", "lab-ssh@.service"):
            covers = [place / f"{name}.d", *([place / name] if place.is_relative_to("/run") else [])]
            for cover in covers:
                if cover.exists() or cover.is_symlink():
                    _remove(cover)
                    yield cover


def _missing(tree: int, changed: Collection[str]) -> Iterator[Path]:
    """Put back folders, files and links, and the owners and modes of what is as it was."""
    for folder, folders, files, at in os.fwalk(".", dir_fd=tree):
        here = Path("/", folder)
        folders[:] = sorted(name for name in folders if str(here / name)[1:] not in (*_OWN, *_UNUSED))
        for name in (*folders, *sorted(files)):
            wanted, place = os.stat(name, dir_fd=at, follow_symlinks=False), here / name
            if not _stays(place, wanted, changed):
                _remove(place, kept=place.is_relative_to("/etc"))
                _copy(at, name, wanted, place)
                yield place
            elif not stat.S_ISLNK(wanted.st_mode) and _given_back(place, wanted):
                yield place


def _stays(place: Path, wanted: os.stat_result, changed: Collection[str]) -> bool:
    """What stands there is the image's, or the user's to have."""
    try:
        seen = place.lstat()
    except FileNotFoundError:
        return False
    if stat.S_IFMT(seen.st_mode) != stat.S_IFMT(wanted.st_mode):
        linked = stat.S_ISLNK(seen.st_mode) and place.is_file() and place.is_relative_to("/etc")
        return linked and stat.S_ISREG(wanted.st_mode)  # to a file of the user's own
    theirs = not place.is_relative_to("/usr") and str(place) not in changed
    return not stat.S_ISREG(wanted.st_mode) or theirs or _same(seen, wanted)


def _same(seen: os.stat_result, wanted: os.stat_result) -> bool:
    return (seen.st_size, int(seen.st_mtime)) == (wanted.st_size, int(wanted.st_mtime))


def _given_back(place: Path, wanted: os.stat_result) -> bool:
    """Give a folder, or a file that nobody has written, its owner and mode again."""
    seen = place.stat()
    rights = [(of.st_mode, of.st_uid, of.st_gid) for of in (seen, wanted)]
    if rights[0] == rights[1] or (stat.S_ISREG(wanted.st_mode) and not _same(seen, wanted)):
        return False
    os.chown(place, wanted.st_uid, wanted.st_gid)
    place.chmod(stat.S_IMODE(wanted.st_mode))
    return True


def _remove(place: Path, *, kept: bool = False) -> None:
    if kept and (place.exists() or place.is_symlink()):
        place.rename(place.with_name(f"{place.name}{_KEPT}"))
    elif place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _copy(at: int, name: str, wanted: os.stat_result, place: Path) -> None:
    if stat.S_ISLNK(wanted.st_mode):
        place.symlink_to(os.readlink(name, dir_fd=at))
        os.chown(place, wanted.st_uid, wanted.st_gid, follow_symlinks=False)
        return
    capability = None
    if stat.S_ISDIR(wanted.st_mode):
        place.mkdir()
    else:
        with open(os.open(name, os.O_RDONLY, dir_fd=at), "rb") as source, place.open("xb") as target:
            shutil.copyfileobj(source, target)
            with contextlib.suppress(OSError):  # most have none
                capability = os.getxattr(source.fileno(), _CAPABILITY)
    os.chown(place, wanted.st_uid, wanted.st_gid)
    place.chmod(stat.S_IMODE(wanted.st_mode))  # after the owner: chown takes setuid away
    if capability is not None:
        os.setxattr(place, _CAPABILITY, capability)
    os.utime(place, (wanted.st_atime, wanted.st_mtime))


def _accounts(tree: int) -> Iterator[Path]:
    """Bring back the accounts and groups of the image that the machine has lost."""
    for path in _ACCOUNTS:
        place = Path("/", path)
        with open(os.open(path, os.O_RDONLY, dir_fd=tree), encoding="utf-8") as file:
            wanted = file.read().splitlines()
        text = place.read_text(encoding="utf-8", errors="surrogateescape")
        known = {line.partition(":")[0] for line in text.splitlines()}
        lacking = [line for line in wanted if line.partition(":")[0] not in known]
        if lacking:
            lines = "\n".join([*text.splitlines(), *lacking, ""])
            place.write_text(lines, encoding="utf-8", errors="surrogateescape")
            yield place


def _seeded(seed: Mapping[str, tuple[str, int]]) -> Iterator[Path]:
    """Keys are the lab's; what else a machine is first given may have been changed since."""
    for path, (text, mode) in seed.items():
        place = Path("/", path)
        if place.is_file() and (not place.is_relative_to("/etc/ssh") or _says(place, text, mode)):
            continue
        _remove(place)
        place.touch(0o600)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)
        yield place


def _says(place: Path, text: str, mode: int) -> bool:
    return place.read_text(encoding="utf-8", errors="replace") == text and stat.S_IMODE(place.stat().st_mode) == mode


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *json.load(sys.stdin))
