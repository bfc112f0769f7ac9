"""pip install, verified: in-toto supply-chain verification for pip."""

__version__ = "0.1.0"
