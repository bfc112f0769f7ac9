"""The maintainer's side: from a project to evidence that ships beside its releases.

``projects`` looks at a Python project, ``layouts`` describes how its releases are made, ``steps``
reports how one was made, ``evidence`` puts all that beside it, and ``keys`` signs. Underneath are
the payloads (``authoring``) and the signed documents as files have them (``documents``).
"""
