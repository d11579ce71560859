"""What a pass over a systolic array takes besides its steps.

In a pass the tile of one tensor, the stationary one, stays in the R × C elements while the others stream through.
Operands enter the rows one cycle after the other and sums travel on to the far end of the columns, so that the last
element is R + C − 2 cycles behind the first. The stationary tile itself goes in (operands) or out (outputs) row by row
in R cycles. A pass of T steps takes 2R + C + T − 2 cycles in every dataflow: Samajdar et al., "A Systematic
Methodology for Characterizing Scalability of DNN Accelerators using SCALE-Sim", ISPASS 2020.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["Dataflow", "pass_overhead_cycles"]

Dataflow = Literal["weight_stationary", "output_stationary", "input_stationary"]


def pass_overhead_cycles(dataflow: Dataflow, rows: int, columns: int, *, overlapped: bool = False) -> int:
    """Cycles of a pass over ``rows`` × ``columns`` elements beyond its steps: moving the stationary tile, and the skew.

    ``overlapped``: passes follow each other without a gap and the stationary tile moves while another is in use, so
    that only the skew is left, and that once for the whole run.
    """
    skew = rows + columns - 2
    if overlapped:
        return skew
    loading = rows if dataflow != "output_stationary" else 0
    draining = rows if dataflow == "output_stationary" else 0
    return loading + skew + draining
