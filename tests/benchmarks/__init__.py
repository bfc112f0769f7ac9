"""What pip-intoto costs, measured side by side in one run: ``python -m tests.benchmarks``.

Nothing here is asserted by a test: absolute times say more about the machine than about the
code. Each figure is a comparison of two things that take turns, so that whatever else the machine
does meets both of them.
"""
