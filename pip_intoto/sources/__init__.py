"""Where evidence lies: one file a kind of source, one small interface, no I/O on the network.

A source is a coroutine that awaits :class:`~pip_intoto.sources.fetching.Fetches`; whoever drives
it carries the requests out. Three drivers exist: the pipe to the gate, the command line's own
requests (:mod:`pip_intoto.sources.web`), and an in-memory repository in the tests.
"""
