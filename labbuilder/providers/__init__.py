"""Makes machines and wires exist."""
