"""``verify --result``: by an attestation of an earlier run, instead of by a policy."""
