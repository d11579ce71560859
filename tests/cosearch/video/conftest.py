"""A small video and a detector fitted on few scenes, shared by the tests of the pipeline."""

from __future__ import annotations

import pytest

from dovetail.cosearch.video.detector import Detector, fitted_detector
from dovetail.cosearch.video.scene import Scene, Video

SCENES = 5  # of the sixteen that a detector is fitted on: enough to find most, in a few seconds
SMALL = Scene(seed=2, frames=24, objects=3, width=480, height=320, speeds=(1.0, 3.0), pause=4)


@pytest.fixture(scope="session")
def video() -> Video:
    return Video(SMALL)


@pytest.fixture(scope="session")
def detector() -> Detector:
    return fitted_detector(1.0, scenes=SCENES)
