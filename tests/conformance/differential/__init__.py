"""Cases that this engine and the reference implementation both judge.

``drawing`` draws names, patterns, rules and reports; ``chains`` draws whole supply chains that
hold, and ``mutations`` what may be wrong with them. ``engines`` asks both sides. Where they
disagree, ``known`` must say why, from the case alone: a disagreement that it cannot explain
fails the test. ``examples`` has one case for each known difference, so that the list stays true.
"""
