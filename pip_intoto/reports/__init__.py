"""Verdicts as documents: one renderer a format, each a pure function from verdicts to text."""
