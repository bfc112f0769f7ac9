"""One distribution in, one verdict out; and the process that does so for the gate."""
