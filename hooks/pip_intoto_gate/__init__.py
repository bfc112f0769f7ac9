"""The gate: what runs inside pip's process. Standard library only."""

#: Gate and verifier must be of one version; the same figure stands in ``pip_intoto``.
VERSION = "0.1.0"
