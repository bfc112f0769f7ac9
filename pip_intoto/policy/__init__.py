"""Whom to trust for which project: what the consumer wrote, checked and frozen."""
