"""Lockfiles: one reader a format, and what all of them read, in :mod:`pip_intoto.lockfiles.locked`.

A reader takes bytes and gives values; it asks no index and chooses no file.
"""
