"""A lab's life: brought up, changed, switched, kept, restored and taken down."""
