"""The synthetic video and what is true of it."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail import BadInput
from dovetail.cosearch.video.scene import Scene, Video


def test_a_frame_is_the_same_in_any_order(video):
    last = video.frame(7)
    video.frame(3)
    assert np.array_equal(video.frame(7), last)
    assert np.array_equal(Video(video.scene).frame(7), last)


def test_only_objects_and_noise_change_from_frame_to_frame(video):
    first, second = (video.frame(number).astype(float) for number in (5, 6))
    apart = np.abs(second - first)
    moved = np.zeros(apart.shape, bool)
    for number in (5, 6):
        for top, left, bottom, right in video.boxes(number).astype(int):
            moved[top:bottom, left:right] = True
    assert apart[~moved].mean() < 2 * video.scene.noise
    assert apart[moved].mean() > 3 * apart[~moved].mean()


def test_objects_stay_in_the_picture_and_pause():
    video = Video(Scene(frames=120, objects=4, width=320, height=240, pause=40))
    boxes = np.stack([video.boxes(number) for number in range(len(video))])
    assert boxes.min() >= 0
    assert (boxes[..., 2] <= 240).all()
    assert (boxes[..., 3] <= 320).all()
    still = (np.diff(boxes, axis=0) == 0).all(axis=2).any(axis=1)
    assert still.any()


def test_the_object_in_front_hides_those_behind():
    scene = Scene(frames=60, objects=12, width=320, height=240)
    video = Video(scene)
    shares = np.stack([video.visible(number) for number in range(len(video))])
    assert shares.min() < 0.5
    assert (shares[:, -1] == 1.0).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 1281}, "width: 1281 is no multiple of 8"),
        ({"sizes": (80, 48)}, "is no range"),
        ({"sizes": (48, 720)}, "smaller than the picture"),
        ({"frames": 0}, "frames: 0 is below 1"),
        ({"noise": -1.0}, "noise: -1 is below 0"),
    ],
)
def test_scenes_that_cannot_be_are_refused(settings, words):
    with pytest.raises(BadInput, match=words):
        Scene(**settings)


def test_frames_beyond_the_video_are_refused(video):
    with pytest.raises(BadInput, match="frames 0 to 23"):
        video.frame(24)
