"""The secrets that machines of one lab share: made once, kept in the lab's folder, never shown."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import SECRET, RenderedFile, Step

_BYTES = 32


@dataclass(frozen=True)
class LabSecrets:
    """The secrets of one lab.

    Attributes:
        folder: Where they lie, a file each, mode 0600; made when the first is.
    """

    folder: Path

    def named(self, name: str) -> str:
        """Return the secret of that name; it is made when it is first asked for."""
        path = self.folder / f"secret-{name}"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            part = self.folder / f".secret-{name}.{secrets.token_hex(4)}"
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(base64.b64encode(secrets.token_bytes(_BYTES)).decode())
            try:
                os.link(part, path)  # of two that make it at once, one is first
            except FileExistsError:
                pass
            finally:
                part.unlink()
        return path.read_text(encoding="ascii")

    def filled_in(self, machine: MachinePlan) -> MachinePlan:
        """Return the machine with the secrets in its files: what is told to nobody but the machine."""
        return replace(machine, steps=tuple(self.filled_in_step(step) for step in machine.steps))

    def filled_in_step(self, step: Step) -> Step:
        """Return the step with the secrets in its files."""
        files = [RenderedFile(f.path, f.text.replace(SECRET, self.named(f.secret)), f.mode) for f in step.secrets]
        return replace(step, files=(*step.files, *files), secrets=())

    def hidden(self, text: str, machine: MachinePlan) -> str:
        """Return the text, which came from the machine, without the secrets that it has."""
        for file in machine.secret_files:
            text = text.replace(self.named(file.secret), f"(the secret {file.secret})")
        return text
