"""The small detector: what it finds, on kept tiles only, and with blocks of its weights removed."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail import BadInput
from dovetail.cosearch.video.boxes import overlaps
from dovetail.cosearch.video.detector import CELL, REACH, fitted_detector, pruned, windows
from dovetail.cosearch.video.grids import grown, in_boxes


def test_it_finds_the_objects_of_a_video_it_was_not_fitted_on(video, detector):
    shared = overlaps(video.boxes(3), detector.detect(video.frame(3)).boxes)
    assert (shared.max(axis=1) > 0.5).all()


def test_kept_tiles_with_their_reach_are_answered_as_in_the_whole_frame(video, detector):
    frame = video.frame(3)
    wanted = in_boxes(video.boxes(3), 16, CELL, (40, 60))
    part = detector.answers(frame, wanted, grown(wanted, REACH))
    whole = detector.answers(frame, None, None)
    assert 0.05 < wanted.mean() < 0.5
    assert np.allclose(part[wanted], whole[wanted], atol=1e-3)
    assert (part[~wanted] == -1.0).all()


def test_without_a_halo_answers_at_the_edge_differ(video, detector):
    frame = video.frame(3)
    wanted = in_boxes(video.boxes(3), 0, CELL, (40, 60))
    part = detector.answers(frame, wanted, wanted)
    assert not np.allclose(part[wanted], detector.answers(frame, None, None)[wanted], atol=0.05)


def test_objects_outside_the_kept_tiles_are_not_found(video, detector):
    box = video.boxes(3)[:1]
    wanted = in_boxes(box, 16, CELL, (40, 60))
    found = detector.detect(video.frame(3), wanted, grown(wanted, REACH))
    assert len(found) == 1
    assert overlaps(box, found.boxes)[0, 0] > 0.5


def test_pruning_keeps_that_share_of_whole_blocks_the_largest_ones():
    weights = np.random.default_rng(0).normal(size=(32, 16)).astype(np.float32)
    left = pruned(weights, 4, 4, 0.25)
    blocks = left.reshape(8, 4, 4, 4).transpose(0, 2, 1, 3).reshape(32, 16)
    full = (blocks != 0).all(axis=1)
    assert full.sum() == 8
    assert ((blocks != 0).any(axis=1) == full).all()
    norms = (weights.reshape(8, 4, 4, 4) ** 2).mean(axis=(1, 3)).ravel()
    assert norms[full].min() > norms[~full].max()


def test_blocks_cut_by_the_edge_count_by_their_mean():
    weights = np.ones((5, 4), np.float32)
    weights[4] = 3.0
    assert pruned(weights, 4, 4, 0.5).sum() == 12.0


def test_removed_blocks_change_what_is_found(video, detector):
    sparse = fitted_detector(0.2, scenes=5)
    dense, thin = (one.answers(video.frame(3), None, None) for one in (detector, sparse))
    assert (sparse.second == 0).mean() == pytest.approx(0.8, abs=0.01)
    assert (sparse.last[:-1] == 0).mean() == pytest.approx(0.8, abs=0.01)
    assert not np.allclose(dense, thin, atol=0.05)


def test_windows_are_the_cells_around_one_after_the_other():
    features = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    wanted = np.zeros((3, 4), bool)
    wanted[1, 1] = True
    assert np.array_equal(windows(features, 3, wanted)[0], features[0:3, 0:3].ravel())


@pytest.mark.parametrize("density", [0.0, -0.5, 1.5, float("nan")])
def test_densities_outside_zero_to_one_are_refused(density):
    with pytest.raises(BadInput, match="weight density"):
        fitted_detector(density)
