"""Carrying out a step: what is recorded before and after, and the link that says so."""
