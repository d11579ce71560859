"""Row-stationary dataflow: from the parameters its authors publish to a mapping.

A processing element holds a row of filter weights and slides it along a row of inputs. ``R`` elements in a column add
up one row of outputs and ``e`` columns make a set for ``e`` rows; a set that is wider than the array is folded into
segments, and small ones are laid side by side, ``r`` for different channels and ``t`` for different filters. Chen et
al., ISCA 2016 and JSSC 52(1), 2017, sections III and IV (there M, E and F are the K, P and Q of this package).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import BadInput
from ..models.op import Op
from .accelerator import Accelerator, Array, Memory
from .mapping import LevelMapping, Loop, Mapping

__all__ = ["RowStationary"]

NEEDED = ("N", "K", "C", "P", "Q", "R", "S")


@dataclass(frozen=True)
class RowStationary:
    """Mapping parameters of one layer, named as in JSSC 2017, Table II.

    ``m`` output channels have their sums in the buffer; ``n`` inputs are processed in one pass; a set makes ``e`` rows
    of outputs of ``p`` filters from ``q`` channels; ``r`` sets work on different channels and ``t`` on different
    filters at a time.
    """

    m: int
    n: int
    e: int
    p: int
    q: int
    r: int
    t: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise BadInput(f"row stationary: {name} is {value}; it must be at least 1")

    def active_elements(self, op: Op) -> int:
        """Processing elements at work in a full pass: ``R · e · r · t``."""
        return op.bounds["R"] * self.e * self.r * self.t

    def mapping(self, op: Op, accelerator: Accelerator) -> Mapping:
        """The mapping of ``op`` on an accelerator with one array of axes x and y, buffers above it, scratchpads below.

        Passes follow each other as in JSSC 2017, Fig. 7: filters innermost, then channels, so that sums stay in the
        buffer until they are finished; then strips of rows, inputs, the next ``m`` filters, groups. Raises `BadInput`
        for an operator without the dimensions of a convolution, an accelerator of another build, and sets that do not
        fit the array; whether the tiles fit the memories is for `evaluate` to say.
        """
        missing = [dim for dim in NEEDED if dim not in op.bounds]
        if missing:
            raise BadInput(f"{op.name}: row stationary maps convolutions, and this has no dimension {missing[0]}")
        places = [level for level in accelerator.levels if isinstance(level, Memory | Array)]
        loops = self._loops(op, accelerator, places)
        return Mapping(tuple(LevelMapping(level.name, loops.get(level.name, ())) for level in places))

    def _loops(self, op: Op, accelerator: Accelerator, places: list[Memory | Array]) -> dict[str, tuple[Loop, ...]]:
        """Loops by level's name."""
        bounds = op.bounds
        arrays = [place for place, level in enumerate(places) if isinstance(level, Array)]
        shape = dict(accelerator.arrays[0].shape) if len(arrays) == 1 else {}
        above = [level for level in places[: arrays[0] if arrays else 0] if isinstance(level, Memory)]
        below = [level for level in places[arrays[0] if arrays else 0 :] if isinstance(level, Memory)]
        sums = [level for level in above[1:] if "output" in level.keeps]
        filters = [level for level in below if "weight" in level.keeps]
        totals = [level for level in below if "output" in level.keeps]
        if not (
            set(shape) == {"x", "y"}
            and sums
            and filters
            and totals
            and places.index(totals[-1]) > places.index(filters[-1])
        ):
            raise BadInput(
                f"'{accelerator.name}' is not built for row stationary; it takes one array of axes x and y, a buffer "
                "with the outputs above it, and below it scratchpads for weights and, inside those, for outputs"
            )
        found: dict[str, list[Loop]] = {level.name: [] for level in places}
        found[places[0].name] += [
            Loop("G", bounds.get("G", 1)),
            Loop("K", -(-bounds["K"] // self.m)),
            Loop("N", -(-bounds["N"] // self.n)),
            Loop("P", -(-bounds["P"] // self.e)),
            Loop("C", -(-bounds["C"] // (self.q * self.r))),
        ]
        found[sums[-1].name].append(Loop("K", -(-min(self.m, bounds["K"]) // (self.p * self.t))))
        found[above[-1].name] += [Loop("N", self.n), Loop("Q", bounds["Q"])]
        found[accelerator.arrays[0].name] += self._spread(op, shape)
        found[filters[-1].name] += [Loop("C", self.q), Loop("S", bounds["S"])]
        found[totals[-1].name].append(Loop("K", self.p))
        return {name: tuple(loop for loop in mine if loop.bound > 1) for name, mine in found.items()}

    def _spread(self, op: Op, shape: dict[str, int]) -> list[Loop]:
        """Loops over the array: the sets with their segments."""
        rows, width, height = op.bounds["R"], shape["x"], shape["y"]
        segments = -(-self.e // width)
        columns = min(self.e, width)
        tall = height // (rows * segments * self.r)
        stacked = max((t for t in range(1, self.t + 1) if self.t % t == 0 and t <= tall), default=0)
        beside = self.t // stacked if stacked else math.inf
        if not stacked or beside * columns > width:
            raise BadInput(
                f"{op.name}: {self.r} x {self.t} sets of {rows} x {self.e} elements do not fit an array of {height} x "
                f"{width}; lower e, r or t"
            )
        found = [Loop("P", columns, "x"), Loop("K", int(beside), "x"), Loop("C", self.r, "y"), Loop("K", stacked, "y")]
        return [*found, Loop("P", segments, "y"), Loop("R", rows, "y")]
