"""Which frames are kept, and which of their tiles."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail import BadInput
from dovetail.cosearch.video.frame_filter import FilterSettings, TemporalFilter, block_means
from dovetail.cosearch.video.grids import grown, onto
from dovetail.cosearch.video.saliency import SaliencySettings, fetched_share, salient_tiles

NO_BOXES = np.zeros((0, 4))


def picture(level: int = 100, *, bright: tuple[slice, slice] | None = None) -> np.ndarray:
    levels = np.full((64, 96), level, np.uint8)
    if bright is not None:
        levels[bright] = 250
    return levels


def test_block_means_are_the_means_of_eight_by_eight_pixels():
    frame = np.random.default_rng(1).integers(0, 256, (64, 96)).astype(np.uint8)
    assert block_means(frame)[2, 5] == pytest.approx(frame[16:24, 40:48].mean())


def test_a_still_picture_is_computed_once_and_then_every_longest_frame():
    temporal = TemporalFilter(FilterSettings(longest=4))
    assert [temporal.look(number, picture())[0] for number in range(9)] == [True, *[False] * 3] * 2 + [True]


def test_a_change_beyond_the_threshold_is_kept_and_becomes_the_reference():
    temporal = TemporalFilter(FilterSettings(threshold=0.01, longest=100))
    spot = (slice(0, 32), slice(0, 32))
    kept = [temporal.look(number, frame)[0] for number, frame in enumerate(
        [picture(), picture(101), picture(bright=spot), picture(bright=spot), picture()]
    )]  # fmt: skip
    assert kept == [True, False, True, False, True]


def test_noise_below_the_floor_does_not_add_up():
    temporal = TemporalFilter(FilterSettings(threshold=0.0, longest=100, floor=2.0))
    temporal.look(0, picture())
    keep, changed = temporal.look(1, picture(102))
    assert not keep
    assert changed is not None
    assert not changed.any()


def test_after_a_lost_frame_the_next_one_is_kept_with_what_the_lost_one_would_have_shown():
    temporal = TemporalFilter(FilterSettings(threshold=0.01, longest=100))
    spot = (slice(0, 32), slice(0, 32))
    temporal.look(0, picture())
    temporal.look(1, picture(bright=spot))
    temporal.lost()
    keep, changed = temporal.look(2, picture(bright=spot))
    assert keep
    assert changed is not None
    assert (changed[:4, :4] > 0).all()


def test_changed_tiles_and_those_with_expected_objects_are_kept():
    changed = np.zeros((8, 12), np.float32)
    changed[0, 0] = 50.0
    settings = SaliencySettings(tile=32, margin=0.0)
    tiles = salient_tiles(changed, np.array([[40.0, 70.0, 50.0, 90.0]]), (64, 96), settings)
    assert tiles.tolist() == [[True, False, False], [False, False, True]]


def test_without_anything_to_compare_with_every_tile_is_kept():
    assert salient_tiles(None, NO_BOXES, (64, 96), SaliencySettings()).all()


def test_what_is_fetched_grows_with_the_halo_up_to_the_whole_picture():
    tiles = np.zeros((2, 3), bool)
    tiles[0, 0] = True
    shares = [fetched_share(tiles, SaliencySettings(halo=halo), (64, 96)) for halo in (0, 8, 32, 96)]
    assert shares[0] == pytest.approx(1 / 6)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_tiles_carried_onto_a_grid_mark_the_cells_that_overlap_them():
    tiles = np.zeros((2, 3), bool)
    tiles[1, 2] = True
    assert onto(tiles, 32, (64, 96), (4, 6)).sum() == 4
    assert onto(tiles, 32, (64, 96), (1, 1)).all()
    odd = onto(tiles, 32, (64, 96), (3, 5))
    assert odd[1:, 3:].all()
    assert odd.sum() == 4


def test_growing_marks_the_cells_around():
    mask = np.zeros((5, 7), bool)
    mask[0, 3] = True
    assert grown(mask, 1).sum() == 6
    assert grown(mask, 0) is mask


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FilterSettings(threshold=1.5), "threshold: 1.5 is above 1"),
        (lambda: FilterSettings(longest=0), "longest: 0 is below 1"),
        (lambda: SaliencySettings(tile=20), "tile: 20 pixels are no multiple of the blocks' 8; take 24"),
        (lambda: SaliencySettings(halo=-8), "halo: -8 is below 0"),
        (lambda: SaliencySettings(threshold=float("nan")), "not a finite number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, words):
    with pytest.raises(BadInput, match=words):
        make()
