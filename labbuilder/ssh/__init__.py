"""Management SSH: the only door into a machine."""
