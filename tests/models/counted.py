"""Numbers that count what is done with them."""

from __future__ import annotations

import math


class Counted:
    """A number; each arithmetic operation, function or choice on it adds one to ``Counted.done``."""

    done = 0

    def __init__(self, value):
        self.value = value

    def _count(self, other, do):
        Counted.done += 1
        return Counted(do(self.value, other.value if isinstance(other, Counted) else other))

    def __add__(self, other):
        return self._count(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._count(other, lambda a, b: a - b)

    def __rsub__(self, other):
        return self._count(other, lambda a, b: b - a)

    def __mul__(self, other):
        return self._count(other, lambda a, b: a * b)

    def __truediv__(self, other):
        return self._count(other, lambda a, b: a / b)

    def __rtruediv__(self, other):
        return self._count(other, lambda a, b: b / a)

    def apply(self, function):
        return self._count(0, lambda a, _: function(a))

    def sqrt(self):
        return self.apply(lambda a: math.sqrt(abs(a)))

    def sign(self):
        return self.apply(lambda a: math.copysign(1, a))

    def where(self, chosen, other):
        """This number where ``chosen`` holds, else the other."""
        return self._count(other, lambda a, b: a if chosen else b)

    __radd__, __rmul__ = __add__, __mul__
