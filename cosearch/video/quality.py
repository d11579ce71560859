"""How good tracks are, measured against the truth.

F1 and identity switches as in Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance: the CLEAR
MOT metrics", EURASIP 2008; identity F1 as in Ristani et al., "Performance measures and a data set for multi-target,
multi-camera tracking", ECCV workshops 2016.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .boxes import overlaps
from .scene import Video
from .tracker import Shown

__all__ = ["Quality", "tracking_quality"]

_MATCH = 0.5  # overlap from which a box counts as right
_VISIBLE = 0.5  # share of an object that has to be visible for it to count


@dataclass(frozen=True)
class Quality:
    """``f1`` of right boxes, their mean overlap ``iou``, ``identity_f1``, identity ``switches``, counts behind them."""

    f1: float
    iou: float
    identity_f1: float
    switches: int
    right: int
    wrong: int
    missed: int

    def loss_pct(self, reference: Quality) -> dict[str, float]:
        """How much worse than a reference, in % of its figure; negative where better."""
        pairs = {name: (getattr(self, name), getattr(reference, name)) for name in ("f1", "iou", "identity_f1")}
        return {name: 100.0 * (1.0 - own / other) if other else 0.0 for name, (own, other) in pairs.items()}


def tracking_quality(video: Video, shown: Mapping[int, Shown]) -> Quality:
    """Quality over all frames of a video; a frame that is not in ``shown`` has no boxes.

    Objects that others hide by half or more do not count, nor do boxes on them.
    """
    from scipy.optimize import linear_sum_assignment

    right = wrong = missed = switches = 0
    shared_sum = 0.0
    last: dict[int, int] = {}
    together: Counter[tuple[int, int]] = Counter()
    nothing = Shown((), np.zeros((0, 4)))
    for number in range(len(video)):
        said, counts = shown.get(number, nothing), video.visible(number) > _VISIBLE
        shared = overlaps(video.boxes(number), said.boxes)
        # Objects that count are matched first: a box on one of them is never spent on a hidden one.
        worth = np.where(shared >= _MATCH, shared + np.where(counts, 1.0, 0.0)[:, None], 0.0)
        objects, boxes = linear_sum_assignment(-worth)
        matched = 0
        for which, at in zip(objects.tolist(), boxes.tolist(), strict=True):
            if worth[which, at] <= 0:
                continue
            matched += 1
            if not counts[which]:
                continue
            track = said.tracks[at]
            right += 1
            shared_sum += float(shared[which, at])
            switches += last.get(which, track) != track
            last[which] = track
            together[which, track] += 1
        wrong += len(said.tracks) - matched
        missed += int(counts.sum())
    missed -= right
    return Quality(
        f1=2 * right / max(1, 2 * right + wrong + missed),
        iou=shared_sum / right if right else 0.0,
        identity_f1=2 * _same_identity(together) / max(1, 2 * right + wrong + missed),
        switches=switches,
        right=right,
        wrong=wrong,
        missed=missed,
    )


def _same_identity(together: Mapping[tuple[int, int], int]) -> int:
    """Right boxes of the best assignment of tracks to objects."""
    from scipy.optimize import linear_sum_assignment

    objects = sorted({which for which, _ in together})
    tracks = sorted({track for _, track in together})
    counts = np.array([[together.get((which, track), 0) for track in tracks] for which in objects], np.int64)
    if not counts.size:
        return 0
    rows, columns = linear_sum_assignment(-counts)
    return int(counts[rows, columns].sum())
