"""The message of every reason code, as a user sees it, kept as text beside this file.

Each ``<code>.txt`` (``<code>.<case>.txt`` where a code has several situations) is made from a real
situation: the verdict on a file with real keys and signatures, a command, or a pip that runs. What
differs from machine to machine is replaced by words that do not. After a change of the wording::

    python -m tests.messages --write

and then read what changed, as somebody who has never heard of in-toto.
"""
