"""Breaks a running lab on purpose and measures what its clients felt."""
