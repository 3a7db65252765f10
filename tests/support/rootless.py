"""The lab's disk, built by a user who is not root.

`build` makes that user's world in a mount namespace of its own: ids to give away, and this checkout where the user may
read it. There it calls this file as a program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

USER, UID = "nobody", 65534
_TOP = Path(__file__).parents[2]
_PLACE = Path("/mnt")  # in the namespace alone
_WORLD = """
mount --bind "$1" /etc/subuid; mount --bind "$1" /etc/subgid; mount --bind "$2" "$3"
cd "$4"
exec setpriv --reuid="$5" --regid="$5" --clear-groups "$3/.venv/bin/python" "$3/tests/support/rootless.py" "$4"
"""


def build(home: Path) -> Path:
    """The disk, in a home of that user's; the folder is new, and one that everybody may enter."""
    ids = home / "ids"
    ids.write_text(f"{USER}:100000:65536\n", encoding="ascii")
    os.chown(home, UID, UID)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": f"{_PLACE}:{_PLACE}/tests/support",
    }
    words = [str(word) for word in (ids, _TOP, _PLACE, home, UID)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", _WORLD, "sh", *words], env=env, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    from qemu import to_vdi

    from labbuilder.host.store import Home
    from labbuilder.plan.image import image_recipe
    from labbuilder.providers.disks.store import ensure_disk
    from labbuilder.providers.images import ImageCache
    from labbuilder.spec.models import LabSpec

    assert os.geteuid() == UID
    print(ensure_disk(ImageCache(Home(Path(sys.argv[1]))), image_recipe(LabSpec()), to_vdi))
