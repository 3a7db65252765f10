"""Proves the lab, line by line."""
