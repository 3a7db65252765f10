"""What Vagrant said, as it was seen to say it, in labbuilder's words."""

from __future__ import annotations

import pytest

from labbuilder.errors import HostError, LabError, MachineError
from labbuilder.providers.vagrant.command import told

LOCKED = (
    "An action 'up' was attempted on the machine 'server1'%!(VAGRANT_COMMA)\\nbut another process is already executing "
    "an action on the machine."
)
STARTVM = (
    "There was an error while executing `VBoxManage`%!(VAGRANT_COMMA) a CLI used by Vagrant\\nfor controlling "
    'VirtualBox. The command and stderr is shown below.\\n\\nCommand: ["startvm"%!(VAGRANT_COMMA) "fff880e2"]\\n\\n'
    "Stderr: VBoxManage: error: {}\\n"
)


def machine_readable(name: str, text: str) -> str:
    return f"1795557288,,ui,info,Bringing machine up\n1795557288,,error-exit,Vagrant::Errors::{name},{text}\n"


@pytest.mark.parametrize(
    ("out", "err", "kind", "brief"),
    [
        (machine_readable("MachineLocked", LOCKED), "", MachineError, "another vagrant is working on the machine"),
        (machine_readable("BoxChecksumMismatch", "The checksum"), "", HostError, "the box is broken"),
        (machine_readable("BoxAddShortNotFound", "The box 'x'"), "", HostError, "there is no such box"),
        (machine_readable("VirtualBoxKernelModuleNotLoaded", "x"), "", HostError, "VirtualBox's kernel module"),
        (machine_readable("ForwardPortAutolistEmpty", "x"), "", HostError, "Vagrant finds no free port for SSH"),
        (
            machine_readable("VBoxManageError", STARTVM.format("VERR_SVM_IN_USE")),
            "",
            HostError,
            "another hypervisor holds the processor's virtualization",
        ),
        (
            machine_readable("VBoxManageError", STARTVM.format("The machine has terminated unexpectedly")),
            "",
            MachineError,
            "VirtualBox: The machine has terminated unexpectedly",
        ),
        ("", "There is a syntax error in the following Vagrantfile.", HostError, "Vagrant can't use the lab's"),
        (machine_readable("Unheard", "What\\nnow"), "", MachineError, "Vagrant: What"),
        ("", "", MachineError, "Vagrant: exit status 9"),
    ],
)
def test_an_error_of_vagrants_is_one_of_ours(out: str, err: str, kind: type[LabError], brief: str) -> None:
    error = told(("vagrant", "up"), 9, out, err)
    assert type(error) is kind
    assert error.brief.startswith(brief)
    assert "Exit status: 9" in (error.details or "")
    assert "VAGRANT_COMMA" not in str(error)
    assert error.resolution
