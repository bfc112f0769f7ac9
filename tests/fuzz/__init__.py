"""What a fuzzer does to the engine: see __main__.py for how to run it."""
