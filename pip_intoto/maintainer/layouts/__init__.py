"""The layout of a project: its source, its owners, what is unwise, what changed, how it looks."""
