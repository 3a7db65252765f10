"""labbuilder's own account on a disk of the user's, whose sshd is not ours: the image's machines have it already."""

from __future__ import annotations

from labbuilder.host.assets import IMAGE_FILES
from labbuilder.model.step import RenderedFile

_SERVED = "/etc/ssh/lab_sshd_account"
_MATCH = f"""\
# Written by labbuilder: its own account logs in by the lab's own key; everybody else as before.
Match User labbuilder
    Include {_SERVED}
"""


def account_script() -> str:
    """Shell that makes the account unless it is there."""
    return "root=/\n" + (IMAGE_FILES / "account.sh").read_text(encoding="utf-8")


def account_files() -> tuple[RenderedFile, ...]:
    """What the disk's own sshd needs to serve it, beside the key in lab_authorized_keys."""
    return (
        RenderedFile(_SERVED, (IMAGE_FILES / "lab_sshd_account").read_text(encoding="utf-8")),
        RenderedFile("/etc/ssh/sshd_config.d/labbuilder.conf", _MATCH),
    )
