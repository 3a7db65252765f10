"""The only caller of Vagrant: by python-vagrant, and where that can't, by the command itself; its errors as ours."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from labbuilder.errors import CommandError, HostError, LabError, MachineError, ProviderUnavailableError
from labbuilder.host.run import FailedProcess, host_environment, run
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage, in_our_words, meaning

Answer = TypeVar("Answer")
_NOT_OURS = ("VAGRANT_CWD", "VAGRANT_VAGRANTFILE", "VAGRANT_DOTFILE_PATH", "VAGRANT_DEFAULT_PROVIDER")
_ANY_STATUS = range(-64, 256)
UpTo = Literal["defined", "started"]
INSTALL = "apt install vagrant, or the package from Vagrant's own site; or use --provider virtualbox, which needs none"


_DOCTOR = "labbuilder doctor --provider vagrant says what to install"
_MEANINGS = (
    meaning(
        "VirtualBoxInvalidVersion|not supported by this version of Vagrant",
        HostError,
        "this Vagrant does not know this VirtualBox",
        _DOCTOR,
    ),
    meaning("VirtualBoxNotDetected", ProviderUnavailableError, "Vagrant finds no VirtualBox", _DOCTOR),
    meaning("VirtualBoxKernelModuleNotLoaded", HostError, "VirtualBox's kernel module is not there", _DOCTOR),
    meaning("VagrantVersionBad", HostError, "this Vagrant is too old for the Vagrantfile", _DOCTOR),
    meaning(
        "ChecksumMismatch|ChecksumError|BoxUnpackageFailure|BoxMetadataCorrupted|BoxMetadataMalformed|BoxVerification|"
        "VirtualBoxNoName|BoxMetadataMissingRequiredFields",
        HostError,
        "the box is broken",
        "a box of labbuilder's: `labbuilder image prune`, then up again; a box of yours: get it anew",
    ),
    meaning(
        r"Errors::Box\w*(NotFound|NoMatching|NotExist|DoesntMatch|Download)|DownloaderError|BoxFileNotExist",
        HostError,
        "there is no such box",
        "look at `vagrant box list` and at vagrant.box, .box_version and .box_url in the spec",
    ),
    meaning(
        "VirtualBoxNameExists",
        MachineError,
        "VirtualBox has a machine of that name that this lab did not make",
        "give the lab another name (labbuilder up --name), or rename that machine",
    ),
    meaning(
        "MachineLocked|EnvironmentLockedError",
        MachineError,
        "another vagrant is working on the machine",
        "wait until it has ended, then run the command again",
    ),
    meaning(
        "Vagrantfile(Load|Syntax|Name)Error|ConfigInvalid|MachineNotFound|following Vagrantfile|very early stage",
        HostError,
        "Vagrant can't use the lab's Vagrantfile",
        "undo what was changed in it, or remove it: labbuilder up writes it anew",
    ),
    meaning("ForwardPort", HostError, "Vagrant finds no free port for SSH", "free some ports from 2200 to 2999"),
)


class Vagrant:
    """Vagrant in one folder.

    Args:
        folder: Where the Vagrantfile is.
        vboxmanage: Whose lock is held meanwhile: Vagrant calls VBoxManage too, and two at once fail at random.

    Raises (every call):
        ProviderUnavailableError: Vagrant is not installed.
        HostError, MachineError: What Vagrant said, in our words; its own are in the details.
    """

    def __init__(self, folder: Path, vboxmanage: VBoxManage) -> None:
        self.folder = folder
        self._vboxmanage = vboxmanage

    def version(self) -> str:
        """Vagrant's version, "2.3.4"."""
        found = re.search(r"\d+(\.\d+)+", self._run(None, "--version"))  # asked before there is a folder
        return found[0] if found else "0"

    def up(self, machine: str, up_to: UpTo) -> None:
        """Make a machine; "started" starts it too. Neither waits for its SSH."""
        self._python(lambda v: v.up(vm_name=machine, provider="virtualbox", provision=False), LABBUILDER_UP_TO=up_to)

    def provision(self, machine: str, provisioner: str) -> None:
        """Run one of the Vagrantfile's provisioners: it takes minutes, and asks VirtualBox next to nothing."""
        self._python(lambda v: v.provision(vm_name=machine, provision_with=[provisioner]), alone=False)

    def halt(self, machine: str) -> None:
        """Shut a machine down in order; Vagrant forces it when that takes too long."""
        self._python(lambda v: v.halt(vm_name=machine))

    def destroy(self, machine: str) -> None:
        """Remove a machine and its disks."""
        self._python(lambda v: v.destroy(vm_name=machine))

    def boxes(self) -> frozenset[str]:
        """The names of the boxes that Vagrant has for VirtualBox."""
        return frozenset(box.name for box in self._python(lambda v: v.box_list()) if box.provider == "virtualbox")

    def add_box(self, name: str, where: str) -> None:
        """Let Vagrant unpack a box: from metadata with a checksum, or from a catalogue."""
        self._python(lambda v: v.box_add(name, where, provider="virtualbox"))

    def snapshot(self, verb: Literal["save", "restore", "delete"], machine: str, name: str) -> None:
        """One machine's snapshot; python-vagrant's has no word for the machine."""
        self._command("snapshot", verb, machine, name, *(["--no-start"] if verb == "restore" else []))

    def package(self, machine: str, target: Path) -> None:
        """Pack a machine of VirtualBox's into a box; python-vagrant's can't name one that Vagrant did not make."""
        self._command("package", "--base", machine, "--output", str(target))

    def validate(self) -> None:
        """Let Vagrant look whether the Vagrantfile can be used."""
        self._command("validate")

    def _environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k.startswith(("VAGRANT_", "VBOX_")) and k not in _NOT_OURS}
        return host_environment({"VAGRANT_CHECKPOINT_DISABLE": "1", **kept, **more})

    def _python(self, call: Callable[[Any], Answer], *, alone: bool = True, **variables: str) -> Answer:
        require_vagrant()
        import vagrant  # noqa: PLC0415  it warns at import where there is no Vagrant

        untyped: Any = vagrant

        class MachineReadable(untyped.Vagrant):  # type: ignore[misc]
            """Every command's errors with the name of their class."""

            def _make_vagrant_command(self, args: list[str | None]) -> list[str]:
                words: list[str] = super()._make_vagrant_command(args)
                return [*words, *(["--machine-readable"] if "--machine-readable" not in words else [])]

        with _file() as out, _file() as err:
            # python-vagrant keeps ssh-config between calls, so none outlives its call
            asked: Any = MachineReadable(
                self.folder, env=self._environment(**variables), out_cm=lambda: _same(out), err_cm=lambda: _same(err)
            )
            try:
                with self._vboxmanage.alone() if alone else nullcontext():
                    return call(asked)
            except FailedProcess as error:
                said = (error.output or b"").decode(errors="replace") + _read(out)
                raise told(tuple(error.cmd), error.returncode, said, _read(err)) from error

    def _command(self, *words: str) -> str:
        return self._run(self.folder, *words)

    def _run(self, folder: Path | None, *words: str) -> str:
        require_vagrant()
        with self._vboxmanage.alone():
            done = run(
                "vagrant", *words, "--machine-readable",
                ok=_ANY_STATUS, timeout_s=3600.0, env=self._environment(), folder=folder,
            )  # fmt: skip
        if done.ok:
            return done.stdout
        raise told(done.argv, done.code, done.stdout, done.stderr)


def require_vagrant() -> None:
    """Raise unless Vagrant is installed.

    Raises:
        ProviderUnavailableError: It is not.
    """
    if shutil.which("vagrant") is None:
        raise ProviderUnavailableError(brief="Vagrant is not installed", resolution=INSTALL)


def told(argv: tuple[str, ...], code: int, out: str, err: str) -> LabError:
    """Vagrant's failure in our words: by its machine-readable error, else by what it said."""
    found = re.search(r"^\d+,[^,]*,error-exit,([\w:]+),(.*)$", out, re.MULTILINE)
    name, text = (found[1], _plain(found[2])) if found else ("", (err or _plain(out)))
    text = text.strip()
    if name.endswith("VBoxManageError"):
        return in_our_words(argv, code, text)
    shown = CommandError.from_output(argv, code, text).details
    for known in _MEANINGS:
        if known.seen.search(f"{name} {text}"):
            return known.kind(brief=known.brief, details=shown, resolution=known.resolution)
    first = next((line for line in text.splitlines() if line.strip()), f"exit status {code}")
    return MachineError(brief=f"Vagrant: {first}", details=shown, resolution="labbuilder doctor may say why")


def _plain(text: str) -> str:
    return text.replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n").replace("\\r", "\r")


@contextmanager
def _file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        yield file


@contextmanager
def _same(file: IO[bytes]) -> Iterator[IO[bytes]]:
    yield file


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
