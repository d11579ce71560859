"""The zoo's multiply-accumulates and parameters beside published counts."""

from __future__ import annotations

from ....models.validate_counts import network_counts
from ..reference import Reference
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "run"]

TITLE = "Networks of the zoo"
ABOUT = """\
Every network of the zoo is counted from its shapes and compared with what its authors or torchvision publish. Where a
source does not say what it counts (batch norm, squeeze-and-excite, the classifier), the remark does.
"""
_TABLE = "imagenet/torchvision_imagenet_weights.csv"


def run(reference: Reference) -> list[SuiteResult]:
    """Counts of MACs and parameters; torchvision's own table is used where the reference folder has it."""
    rows = network_counts(reference.folder if reference.path(_TABLE) else None)
    return [
        SuiteResult(
            "networks",
            quantity,
            tuple(
                Case(row.name, row.published, row.modelled, "; ".join(text for text in (row.source, row.note) if text))
                for row in rows
                if row.quantity == quantity
            ),
            published_bar="an exact count is possible",
            targets=(Target("each_abs_error_pct", 1.0),),
        )
        for quantity in ("macs", "params")
    ]
