"""The verification workflow of the in-toto specification: values in, result out, no I/O."""
