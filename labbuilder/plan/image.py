"""The recipe of the image that all machines of a lab share."""

from __future__ import annotations

from labbuilder.host.assets import IMAGE_FILES
from labbuilder.plan.dhcp_isc import dhcpd_unit
from labbuilder.plan.model import ImageRecipe, RenderedFile
from labbuilder.spec.models import LabSpec

PACKAGES = (
    "bind9",
    "bind9-dnsutils",
    "dbus",
    "ifupdown",
    "iproute2",
    "iptables",
    "iptables-persistent",
    "iputils-ping",
    "isc-dhcp-client",
    "isc-dhcp-server",
    "kea-admin",
    "kea-dhcp4-server",
    "kmod",
    "less",
    "nano",
    "netbase",
    "netcat-openbsd",
    "openssh-server",
    "procps",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "udhcpc",
)

_FILES = {
    "lab-ssh.socket": "/etc/systemd/system/lab-ssh.socket",
    "lab-ssh@.service": "/etc/systemd/system/lab-ssh@.service",
    "lab_sshd_config": "/etc/ssh/lab_sshd_config",
    "lab_sshd_account": "/etc/ssh/lab_sshd_account",
    "journald.conf": "/etc/systemd/journald.conf.d/labbuilder.conf",
}


def image_recipe(spec: LabSpec) -> ImageRecipe:
    """One image for every role: what a machine does is switched on when it is provisioned."""
    files = tuple(RenderedFile(path, (IMAGE_FILES / name).read_text(encoding="utf-8")) for name, path in _FILES.items())
    files += (dhcpd_unit(),)
    customize = "\n".join((IMAGE_FILES / name).read_text(encoding="utf-8") for name in ("customize.sh", "account.sh"))
    packages = (*PACKAGES, *(package for package in sorted(set(spec.packages)) if package not in PACKAGES))
    return ImageRecipe(spec.suite, spec.mirror, packages, files, customize)
