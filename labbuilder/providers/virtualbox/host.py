"""What the VirtualBox provider needs of the host, looked up there."""

from __future__ import annotations

import platform
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from labbuilder.errors import HostError
from labbuilder.host.store import Home
from labbuilder.providers.base import Finding
from labbuilder.providers.disks import built
from labbuilder.providers.images import room
from labbuilder.providers.virtualbox.bridge import choose_bridge
from labbuilder.providers.virtualbox.registry import Registry, VBoxManageRegistry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import Sections

OLDEST = (7, 0)
DRIVER = Path("/dev/vboxdrv")
_LOAD_DRIVER = "sudo modprobe vboxdrv; if there is none: apt install virtualbox-dkms and the kernel's headers"
LOADED = Path("/proc/modules")  # only Linux has it, and only one that can load modules
KVM_FRIENDLY = (7, 2, 10)  # from here on VirtualBox shares VT-x with KVM
KVM_EAGER_KERNEL = (6, 12)  # from here on KVM takes VT-x when its module is loaded
NEEDED_MEMORY_MIB = 3 * 512 + 512  # three machines of the default size, and what is around them
NEEDED_BYTES = 3_000_000_000  # a base disk and three clones of it


def preflight(registry: Registry) -> None:
    """Raise for what is certain to fail later.

    Raises:
        ProviderUnavailableError: VBoxManage is not installed.
        HostError: VirtualBox is too old, or can't start machines.
    """
    version = registry.version()
    if _numbers(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise HostError(
            brief=f"VirtualBox {version} is too old",
            details=f"labbuilder knows VirtualBox {oldest} and later",
            resolution=f"install VirtualBox {oldest} or later, or use --provider nspawn",
        )
    require_driver()


def obstacle() -> str | None:
    """Why no machine can start; None where they can."""
    if sys.platform == "linux" and not DRIVER.exists():
        return f"{DRIVER} does not exist, so VirtualBox can start no machine"
    return None


def require_driver() -> None:
    """Raise where no machine can start; VirtualBox itself says only that it "terminated unexpectedly".

    Raises:
        HostError: The kernel module is not loaded.
    """
    problem = obstacle()
    if problem:
        raise HostError(brief="VirtualBox's kernel module is not there", details=problem, resolution=_LOAD_DRIVER)


def findings(home: Home, settings: Sections = ()) -> tuple[Finding, ...]:
    """Everything that ``labbuilder doctor`` says about VirtualBox on this host; changes nothing."""
    del settings  # it is asked before there is a spec
    if shutil.which("VBoxManage") is None:
        advice = "install VirtualBox (Debian: contrib of sid, or virtualbox.org), or use --provider nspawn"
        return (Finding("VirtualBox", False, "VBoxManage is not installed", advice),)
    return tuple(_findings(home, VBoxManage()))


def _findings(home: Home, vboxmanage: VBoxManage) -> Iterator[Finding]:
    registry = VBoxManageRegistry(vboxmanage)
    version = registry.version()
    oldest = ".".join(map(str, OLDEST))
    yield Finding("VirtualBox", _numbers(version) >= OLDEST, version, f"install VirtualBox {oldest} or later")
    yield _driver()
    yield _holder_of_vtx(_numbers(version))
    yield _bridge(registry)
    yield _dhcp_servers(vboxmanage)
    yield _memory(vboxmanage)
    yield room(home, NEEDED_BYTES)
    yield _builder()
    yield _port()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _driver() -> Finding:
    problem = obstacle()
    return Finding("kernel module", problem is None, problem or "machines can start", _LOAD_DRIVER)


def _holder_of_vtx(version: tuple[int, ...]) -> Finding:
    """KVM and VirtualBox can't both have VT-x or AMD-V, unless VirtualBox is new enough."""
    modules = LOADED.read_text(encoding="ascii").splitlines() if LOADED.exists() else []
    used = {line.split()[0]: int(line.split()[2]) for line in modules if line.startswith(("kvm_intel ", "kvm_amd "))}
    if not used:
        return Finding("VT-x", True, "KVM is not loaded")
    (name, users), *_ = used.items()
    kernel = _numbers(platform.release())
    if version >= KVM_FRIENDLY:
        return Finding("VT-x", True, f"{name} is loaded; VirtualBox {'.'.join(map(str, version))} shares with it")
    if kernel >= KVM_EAGER_KERNEL:
        advice = "boot with kvm.enable_virt_at_load=0, or: sudo modprobe -r " + name
        return Finding("VT-x", False, f"{name} holds it since it was loaded (kernel {platform.release()})", advice)
    return Finding("VT-x", users == 0, f"{name} is loaded, {users} users", "end KVM's machines first")


def _bridge(registry: Registry) -> Finding:
    found = registry.bridged_interfaces()
    try:
        name = choose_bridge("auto", found)
    except HostError as error:
        return Finding("bridge", False, f"{error.brief}; {error.details}", error.resolution or "")
    wireless = next(interface.wireless for interface in found if interface.name == name)
    return Finding("bridge", True, f"{name} is up and has the default route{', wireless' if wireless else ''}")


def _dhcp_servers(vboxmanage: VBoxManage) -> Finding:
    names = re.findall(r"^NetworkName:\s+(labbuilder-.*)$", vboxmanage.ask("list", "dhcpservers"), re.MULTILINE)
    seen = f"VirtualBox answers DHCP on {', '.join(names)}" if names else "none on a lab's internal network"
    advice = "; ".join(f"VBoxManage dhcpserver remove --network={name}" for name in names)
    return Finding("DHCP servers", not names, seen, advice)


def _memory(vboxmanage: VBoxManage) -> Finding:
    found = re.search(r"^Memory available:\s+(\d+) MByte", vboxmanage.ask("list", "hostinfo"), re.MULTILINE)
    free = int(found[1]) if found else 0
    advice = "end something else, or give the machines less: `virtualbox: {memory_mib: 320}`"
    return Finding("memory", free >= NEEDED_MEMORY_MIB, f"{free} MiB available", advice)


def _builder() -> Finding:
    """What the disk is built with; a spec that names a disk of its own needs none of it."""
    try:
        built.preflight()
    except HostError as error:
        return Finding("disk builder", False, f"{error.brief}; {error.details}", error.resolution or "")
    return Finding("disk builder", True, "mmdebstrap, e2fsprogs, fdisk and GRUB are there")


def _port() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return Finding("ports", False, str(error), "let programs listen on 127.0.0.1")
    return Finding("ports", True, "127.0.0.1 has free ones for the machines' SSH")
