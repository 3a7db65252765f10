"""The plain data that all rooms share: what a plan is made of. Frozen, free of side effects."""
