"""What cloud-init is told: on a disk that the user names, and while Debian's own is prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from labbuilder.host.assets import IMAGE_FILES
from labbuilder.model.step import RenderedFile
from labbuilder.providers.disks.account import account_files, account_script

_NAME_NICS = IMAGE_FILES / "cloud" / "name-nics.sh"
LABEL = "CIDATA"
"""Of the CD: cloud-init's NoCloud looks for it, and so do our own disks."""


def meta_data(instance: str, hostname: str) -> str:
    """Which machine this is; another instance makes cloud-init start afresh."""
    return _yaml({"instance-id": instance, "local-hostname": hostname})


def machine_user_data(
    *,
    authorized_key: str,
    host_private: str,
    host_public: str,
    links: Sequence[RenderedFile],
    names: Mapping[str, str],
) -> str:
    """The same identity that our own disks take from seed.tar; ``names`` are those of the NICs by their MAC."""
    key = RenderedFile("/etc/ssh/lab_authorized_keys", f"{authorized_key.strip()}\n")
    cards = [f"{mac.lower()}={name}" for mac, name in names.items()]
    return "#cloud-config\n" + _yaml(
        {
            "preserve_hostname": False,
            "manage_etc_hosts": False,
            "disable_root": False,
            "ssh_pwauth": False,
            "users": [],
            "ssh_deletekeys": True,
            "ssh_keys": {"ed25519_private": host_private, "ed25519_public": host_public},
            "write_files": [written(file) for file in (*links, *account_files(), key)],
            "bootcmd": [
                ["sh", "-c", account_script()],  # before SSH looks for it
                ["sh", "-c", _NAME_NICS.read_text(encoding="utf-8"), "name-nics", *cards],
            ],
        }
    )


def preparing_user_data() -> str:
    """No user, one command: prepare.sh of the CD."""
    folder = "/run/labbuilder/cd"
    script = f"mkdir -p {folder} && mount -o ro LABEL={LABEL} {folder} && exec sh {folder}/prepare.sh {folder}"
    return "#cloud-config\n" + _yaml({"users": [], "ssh_pwauth": False, "runcmd": [["sh", "-c", script]]})


def network_config(lab: Mapping[str, str], management: tuple[str, str]) -> str:
    """Names by MAC for all; an address for the management NIC alone, which takes nothing else from DHCP.

    It is the one that the boot waits for: were all optional, networkd would wait two minutes for none.

    Args:
        lab: MAC to name, for the NICs that provisioning configures.
        management: MAC and name.
    """
    cards: dict[str, Any] = {
        name: {"match": {"macaddress": mac.lower()}, "set-name": name, "optional": True} for mac, name in lab.items()
    }
    mac, name = management
    refused = ("use-dns", "use-domains", "use-hostname", "use-ntp", "use-routes", "send-hostname")
    cards[name] = {
        "match": {"macaddress": mac.lower()},
        "set-name": name,
        "dhcp4": True,
        "dhcp4-overrides": dict.fromkeys(refused, False),
        "link-local": [],
    }
    return _yaml({"version": 2, "ethernets": cards})


def written(file: RenderedFile) -> dict[str, str]:
    """A file as cloud-init's write_files takes it."""
    return {"path": file.path, "content": file.text, "permissions": f"0{file.mode:o}"}


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, width=1000)
