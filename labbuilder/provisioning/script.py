"""The shell that brings one service into effect: by labbuilder over SSH, or in a machine that is on its own."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from labbuilder.model.step import RenderedFile, Step

STAMPS = "/var/lib/labbuilder"
WRITTEN = f"{STAMPS}/.files"  # hash and path of each file that all may read, as it was written; the last line counts
NEW = ".labbuilder-new"  # beside the file: AppArmor lets dhcpd read /etc/dhcp and nothing else
MARK = "@labbuilder"
_OVER = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")  # Debian's units
_POLL_S = 0.02
KEPT = ".before-labbuilder"  # after the name of what stood where a file or its folder belongs
_NUDGE = '[ "$nudged" ] || [ $waited -lt 100 ] || { nudged=1; {nudge}; }; '


def stamp(service: Step) -> str:
    """What the machine notes when the service was applied: a kill between file and restart shows."""
    files = "".join(f"{f.path}{f.mode:o}{f.sha256}" for f in service.files)
    return hashlib.sha256((files + service.given).encode()).hexdigest()[:16]


def folders_of(paths: Iterable[str]) -> str:
    """Shell that makes the folders in which these files will lie; what is none and stands there is kept beside."""
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    return (
        f"for folder in {shlex.join(sorted(folders))}; do [ -d $folder ] || {{ "
        f"[ ! -e $folder ] && [ ! -L $folder ] || {_aside('$folder')}; mkdir $folder; chmod 755 $folder; }}; done"
    )


def _aside(place: str) -> str:
    return f"mv -T --backup=numbered {place} {place}{KEPT}"


# What stands there and is not what labbuilder wrote last is somebody's work.
_BY_HAND = (
    f"by_hand() {{ wrote=; if [ -f {WRITTEN} ]; then while read -r sum path; do "
    f'if [ "$path" = "$1" ]; then wrote=$sum; fi; done <{WRITTEN}; fi; '
    'if [ -n "$wrote" ] && [ -f "$1" ] && ! echo "$wrote  $1" | sha256sum --check --status; then '
    f'cp -p -T --backup=numbered "$1" "$1{KEPT}"; echo "{MARK} kept $1"; fi; }}'
)


def _cleared(service: Step) -> str:
    """Shell that takes away what others have put in the service's way; its own files stay."""
    own, units = "|".join(shlex.quote(file.path) for file in service.files), " ".join(service.units)
    over = (
        f"reload=; for unit in {units}; do for place in {' '.join(_OVER)}; do "
        f"for it in $place/$unit $place/$unit.d/*.conf; do case $it in {own or '-'}) continue;; esac; "
        "[ -e $it ] || [ -L $it ] || continue; rm -rf $it; reload=yes; "
        'done; done; done; [ -z "$reload" ] || systemctl daemon-reload'
    )
    goes_on = f"systemctl kill -s CONT {units} 2>/dev/null || true"  # one that is stopped would not even end
    return f"( {f'{over}; {goes_on}' if units else 'true'}; {service.clears}\n) >&2"


def service_script(service: Step, new: Sequence[RenderedFile], *, again: bool = False) -> str:
    """What applies one service and awaits its proof; its marks say how far it came.

    Args:
        service: The service.
        new: Those of its files that differ; each lies beside its place, under its name with `NEW`.
        again: The machine was configured before, and somebody may have put things in the way since.
    """
    lines = [f"echo {MARK} begin {service.name}", service.prepare, *([_BY_HAND] if again and new else [])]
    names = " ".join(shlex.quote(file.path + NEW) for file in new)
    for path, command in service.validate:
        if path in {file.path for file in new}:
            test = command.replace("{new}", shlex.quote(path + NEW))
            lines.append(f"{test} >&2 || {{ echo {MARK} refused {service.name}; rm -f {names}; exit 3; }}")
    for file in new:
        beside, place = shlex.quote(file.path + NEW), shlex.quote(file.path)
        lines.append(f"[ -L {place} ] || [ ! -d {place} ] || {_aside(place)}")  # `mv` would move into a folder
        lines += [f"by_hand {place}"] if again and file not in service.seeds else []
        lines.append(f"{f'[ ! -e {beside} ] || ' if file in service.seeds else ''}mv -f {beside} {place}")
        if file.mode & 0o004:
            lines.append(f"echo {file.sha256} {place} 2>/dev/null >>{WRITTEN} || :")
    lines += [_cleared(service)] if again else []
    lines += [f"echo {MARK} apply {service.name}", f"( {service.apply}\n) >&2"]
    nudge = _NUDGE.replace("{nudge}", service.nudge) if service.nudge else ""
    lines += [
        f"echo {MARK} await {service.name}",
        # By the clock, in hundredths of a second: on a busy machine fifty looks took five seconds.
        (
            f"nudged=; read begun _ </proc/uptime; until ( {service.holds}\n) >/dev/null 2>&1; do "
            "read now _ </proc/uptime; waited=$((${now%.*}${now#*.} - ${begun%.*}${begun#*.})); "
            f"{nudge}[ $waited -lt {round(service.settle_s * 100)} ] || "
            f"{{ echo {MARK} late {service.name}; exit 4; }}; sleep {_POLL_S}; done"
        ),
        f"/bin/echo {stamp(service)} >{STAMPS}/{service.name}",  # not dash's own, which says nothing but "I/O error"
        f"echo {MARK} done {service.name}",
    ]
    return "\n".join(lines)
