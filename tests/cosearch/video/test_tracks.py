"""Tracks over frames that are computed and frames that are not, and how their quality is measured."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail import BadInput
from dovetail.cosearch.video.boxes import overlaps
from dovetail.cosearch.video.detector import Detections
from dovetail.cosearch.video.quality import tracking_quality
from dovetail.cosearch.video.tracker import Shown, Tracker


def seen(*corners: tuple[float, float], score: float = 0.9) -> Detections:
    boxes = np.array([(top, left, top + 40, left + 40) for top, left in corners], float).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), score))


def test_overlap_is_intersection_over_union():
    first, second = np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 5, 10, 15], [20, 20, 30, 30]])
    assert overlaps(first, second).tolist() == [[pytest.approx(1 / 3), 0.0]]


def test_a_skipped_frame_moves_tracks_on_at_their_velocity():
    tracker = Tracker()
    for number in range(3):
        tracker.update(number, seen((100, 100 + 4 * number)))
    coasted = tracker.coast(5)
    assert coasted.tracks == (0,)
    assert coasted.boxes[0] == pytest.approx([100, 120, 140, 160], abs=0.5)


def test_what_has_not_changed_stays_where_it_was():
    tracker = Tracker()
    for number in range(3):
        tracker.update(number, seen((96, 96 + 4 * number)))
    still = tracker.coast(5, np.zeros((40, 60), np.float32))
    assert still.boxes[0] == pytest.approx([96, 104, 136, 144], abs=0.5)
    moving = tracker.coast(6, np.full((40, 60), 9.0, np.float32))
    assert moving.boxes[0][1] > 115


def test_identities_stay_with_their_objects_when_they_come_close():
    tracker = Tracker()
    for number in range(12):
        shown = tracker.update(number, seen((100, 100 + 10 * number), (130, 210 - 10 * number)))
    assert shown.tracks == (0, 1)
    assert shown.boxes[0][1] == pytest.approx(210, abs=2)


def test_an_unsure_detection_goes_on_with_a_track_but_begins_none():
    tracker = Tracker()
    assert tracker.update(0, seen((100, 100), score=0.4)).tracks == ()
    tracker.update(1, seen((100, 100)))
    tracker.update(2, seen((100, 102), score=0.4))
    assert tracker.coast(3).tracks == (0,)


def test_a_track_without_detections_is_shown_for_a_while_only():
    tracker = Tracker(frames_per_s=20.0)
    tracker.update(0, seen((100, 100)))
    shown = [len(tracker.update(number, seen()).tracks) for number in range(1, 12)]
    assert shown[:6] == [1] * 6
    assert shown[-1] == 0


def test_frames_come_in_order():
    tracker = Tracker()
    tracker.coast(4)
    with pytest.raises(BadInput, match="frame 4 comes after frame 4"):
        tracker.update(4, seen())


def truth(video) -> dict[int, Shown]:
    return {number: Shown(tuple(range(3)), video.boxes(number)) for number in range(len(video))}


def test_the_truth_itself_has_full_marks(video):
    quality = tracking_quality(video, truth(video))
    assert (quality.f1, quality.iou, quality.identity_f1, quality.switches) == (1.0, 1.0, 1.0, 0)


def test_a_missing_object_a_false_box_and_an_exchange_are_each_counted(video):
    shown = truth(video)
    shown[3] = Shown((1, 2), video.boxes(3)[1:])
    shown[4] = Shown((0, 1, 2, 9), np.concatenate([video.boxes(4), [[0.0, 0, 9, 9]]]))
    for number in range(12, len(video)):
        shown[number] = Shown((1, 0, 2), video.boxes(number))
    quality = tracking_quality(video, shown)
    assert (quality.missed, quality.wrong, quality.switches) == (1, 1, 2)
    assert quality.identity_f1 < 0.85 < quality.f1


def test_loss_is_relative_to_the_reference(video):
    shown = truth(video)
    reference = tracking_quality(video, shown)
    half = tracking_quality(video, {number: shown[number] for number in range(12)})
    assert half.loss_pct(reference)["f1"] == pytest.approx(100 * (1 - 2 / 3), abs=0.5)
    assert half.loss_pct(reference)["iou"] == 0.0
