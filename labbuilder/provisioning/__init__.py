"""Brings machines to what the plan says."""
