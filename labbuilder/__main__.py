"""``python -m labbuilder`` and the command ``labbuilder``."""

from __future__ import annotations

from labbuilder.cli.app import main

if __name__ == "__main__":
    main()
