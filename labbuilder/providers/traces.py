"""What bears a lab's mark on this host, found there and not in the lab's folder: the folder may be lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trace:
    """A lab, as the host shows it.

    Attributes:
        kind: Its provider.
        mark: Its mark.
        folder: The lab's folder, where it is now; where it was, when it is gone; None when nothing tells.
        gone: The lab's folder is.
        things: What is there, in words.
        runs: Something of it uses the host's processor.
        image: The image that it started from, by its name in the cache.
    """

    kind: str
    mark: str
    folder: Path | None
    gone: bool
    things: tuple[str, ...]
    runs: bool = True
    image: str | None = None

    def is_of(self, lab: Path) -> bool:
        """The lab's folder is that one, whatever path leads there; or it was, and there is none in its place."""
        if self.folder is None:
            return False
        if self.gone:
            return self.folder == lab and not lab.exists()
        return lab.exists() and self.folder.exists() and self.folder.samefile(lab)
