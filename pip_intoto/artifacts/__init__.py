"""Hashing streams, reading wheels and sdists strictly, recording what lies in a directory."""
