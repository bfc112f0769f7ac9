"""A Python project as its maintainer has it, and what a build makes of it."""
