"""The recipe of the image that all machines of a lab share: its own, and what the services need."""

from __future__ import annotations

from collections.abc import Sequence

from labbuilder.host.assets import IMAGE_FILES
from labbuilder.host.render import render
from labbuilder.model.lab import ImageRecipe
from labbuilder.model.step import RenderedFile
from labbuilder.services import Service, Unit
from labbuilder.services.registry import services_of
from labbuilder.spec.models import LabSpec

# What a machine is without any service, and what labbuilder itself uses in it.
PACKAGES = (
    "dbus",
    "iputils-ping",
    "kmod",
    "less",
    "nano",
    "netbase",
    "openssh-server",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "udhcpc",
)
_OWN_UNITS = (Unit("ssh"),)  # a socket of the lab's own starts sshd
_FILES = {
    "lab-ssh.socket": "/etc/systemd/system/lab-ssh.socket",
    "lab-ssh@.service": "/etc/systemd/system/lab-ssh@.service",
    "lab_sshd_config": "/etc/ssh/lab_sshd_config",
    "lab_sshd_account": "/etc/ssh/lab_sshd_account",
    "journald.conf": "/etc/systemd/journald.conf.d/labbuilder.conf",
}


def image_recipe(spec: LabSpec) -> ImageRecipe:
    """Return one image for every role: what a machine does is switched on when it is provisioned."""
    services = tuple(service for service in services_of(spec.services) if service.wanted(spec))
    files = tuple(RenderedFile(path, (IMAGE_FILES / name).read_text(encoding="utf-8")) for name, path in _FILES.items())
    files += tuple(file for service in services for file in service.image_files)
    needed = sorted({*PACKAGES, *(package for service in services for package in service.packages)})
    units = units_off(services)
    customize = render(
        "customize.sh",
        init_scripts=[unit.name for unit in units if unit.init_script],
        units=[unit.name for unit in units if not unit.init_script],
    )
    return ImageRecipe(
        suite=spec.suite,
        mirror=spec.mirror,
        packages=(*needed, *(package for package in sorted(set(spec.packages)) if package not in needed)),
        files=files,
        customize=f"{customize}\n{(IMAGE_FILES / 'account.sh').read_text(encoding='utf-8')}",
        units_off=tuple(unit.name for unit in units_off(services, own=())),
    )


def units_off(services: Sequence[Service], own: Sequence[Unit] = _OWN_UNITS) -> list[Unit]:
    """Return the units that are off until provisioning switches them on, by the name of whose they are."""
    owners = [*((service.name, service.units) for service in services), ("image", tuple(own))]
    return [unit for _, units in sorted(owners, key=lambda owner: owner[0]) for unit in units]
