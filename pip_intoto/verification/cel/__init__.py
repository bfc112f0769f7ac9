"""The Common Expression Language, as far as conditions need it, with its costs counted.

celpy reads expressions, and does whole numbers, times and conversions; RE2 does patterns. celpy is
not let at documents by itself: its evaluator makes copies of them, and some of its functions take
exponential time or unbounded memory (``docs/adr/0018-conditions.md``). Here an expression becomes
functions that count every step, and everything that they make.

Only :mod:`pip_intoto.verification.attributes` imports this package, and only once there are
conditions.
"""

from pip_intoto.verification.cel.compiling import compiled
from pip_intoto.verification.cel.work import Absent, NotAnExpression, TooCostly, Undecided, Work

__all__ = ["Absent", "NotAnExpression", "TooCostly", "Undecided", "Work", "compiled"]
