import itertools
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest

import dovetail as dt
from dovetail.accel.batch import Problem
from dovetail.cosearch.spaces.hardware import hardware_space, hardware_values
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.studies.pareto import non_dominated
from dovetail.cosearch.sweep.anchors import find_anchors
from dovetail.cosearch.sweep.groups import check_costs_add_up, groups_of
from dovetail.cosearch.sweep.portfolio import Portfolio, Question
from dovetail.cosearch.sweep.table_sweep import TableSweep
from dovetail.cosearch.sweep.tables import HardwareTables
from dovetail.cosearch.sweep.truth import enumerate_networks
from dovetail.errors import BadInput, CannotDo, Infeasible
from dovetail.mapper.search import best_mapping
from dovetail.models.op import Op, conv2d

CHIP = dt.load_accelerator("edge_tpu")
HARDWARE = hardware_space(CHIP, ["pes_x", "register_file", "bandwidth"]).restrict(
    {"hw.pes_x": [1, 4], "hw.register_file": [8, 32], "hw.bandwidth": [5, 20]}
)
CELLS = network_space("digits_cells")
QUICK = Question(evaluations=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def sweep(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dovetail.cosearch.sweep.tables.cache_folder", lambda: folder)
        made = TableSweep(CELLS, CHIP, HARDWARE, QUICK, workers=1)
        made.prepare([CELLS.baseline(), {**CELLS.baseline(), "net.edge_01": "nor_conv_1x1"}])
        yield made


def chip(number):
    return CHIP.with_parameters(**hardware_values(HARDWARE.point(number)))


def test_a_network_costs_what_its_mappings_cost_one_after_another(sweep):
    network = CELLS.build(CELLS.baseline())
    costs = sweep.costs(CELLS.baseline())
    for number in range(HARDWARE.size):
        estimate = sweep.estimate(network, HARDWARE.point(number))
        assert costs.latency_s[number] == pytest.approx(estimate.latency_s, rel=1e-12)
        assert costs.energy_j[number] == pytest.approx(estimate.energy_j, rel=1e-12)
        assert costs.area_mm2[number] == estimate.area_mm2 == sweep.area_mm2[number]


def test_no_figure_is_below_a_proven_optimum(sweep):
    groups = [group for group in groups_of(CELLS.build(CELLS.baseline())) if isinstance(group.head, Op)]
    for group in groups[:1]:
        [table] = sweep.tables.tables([group])
        for number in range(0, HARDWARE.size, 3):
            proven = best_mapping(group.head, chip(number), "edp", cache=False).cost
            own = table.portfolio.mapping(int(table.places[number]), chip(number))
            cost = dt.evaluate(group.head, chip(number), own)
            assert cost.latency_s * cost.energy_j >= proven.latency_s * proven.energy_j * (1 - 1e-9)


def test_two_processes_make_the_tables_that_one_makes(sweep):
    group = next(group for group in groups_of(CELLS.build(CELLS.baseline())) if isinstance(group.head, Op))
    other = HardwareTables(CHIP, HARDWARE, QUICK, cache=False, workers=2)
    [alone], [two] = sweep.tables.tables([group]), other.tables([group])
    for name in ("latency_s", "energy_j", "places"):
        assert np.array_equal(getattr(alone, name), getattr(two, name))
    assert np.array_equal(alone.portfolio.factors, two.portfolio.factors)


def test_tables_are_remembered_and_damaged_ones_made_again(sweep, folder, monkeypatch):
    monkeypatch.setattr("dovetail.cosearch.sweep.tables.cache_folder", lambda: folder)
    again = TableSweep(CELLS, CHIP, HARDWARE, QUICK, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dovetail.cosearch.sweep.tables.cost_groups", None)  # nothing may be made
        assert np.array_equal(again.costs(CELLS.baseline()).energy_j, sweep.costs(CELLS.baseline()).energy_j)
    for path in folder.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    damaged = TableSweep(CELLS, CHIP, HARDWARE, QUICK, workers=1)
    assert np.array_equal(damaged.costs(CELLS.baseline()).energy_j, sweep.costs(CELLS.baseline()).energy_j)


def test_mappings_that_were_found_before_a_run_was_stopped_are_not_sought_again(tmp_path, monkeypatch):
    monkeypatch.setattr("dovetail.cosearch.sweep.tables.cache_folder", lambda: tmp_path)
    group = next(group for group in groups_of(CELLS.build(CELLS.baseline())) if isinstance(group.head, Op))

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dovetail.cosearch.sweep.tables.cost_groups", stop)
        with pytest.raises(KeyboardInterrupt):
            HardwareTables(CHIP, HARDWARE, QUICK, workers=1).tables([group])
    monkeypatch.setattr(Question, "ask", stop)
    [table] = HardwareTables(CHIP, HARDWARE, QUICK, workers=1).tables([group])
    assert np.isfinite(table.energy_j).all()


def test_tables_that_nobody_used_for_a_month_make_room(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("dovetail.cosearch.sweep.tables.cache_folder", lambda: tmp_path)
    for name, days in (("old", 31), ("young", 29)):
        (tmp_path / "sweeps" / name).mkdir(parents=True)
        (tmp_path / "sweeps" / name / "chips.npz").write_bytes(b"")
        os.utime(tmp_path / "sweeps" / name, (time.time() - 86_400 * days,) * 2)
    tables = HardwareTables(CHIP, HARDWARE, QUICK, workers=1)
    tables.remember("some", {"a": np.arange(3)})
    kept = {path.name for path in (tmp_path / "sweeps").iterdir()}
    assert "old" not in kept
    assert "young" in kept
    os.utime(next(path for path in (tmp_path / "sweeps").iterdir() if path.name != "young"), (0, 0))
    assert np.array_equal(tables.remembered("some")["a"], np.arange(3))  # used again, hence young again
    HardwareTables(CHIP, HARDWARE, Question(evaluations=100), workers=1).remember("some", {"a": np.arange(3)})
    assert len(list((tmp_path / "sweeps").iterdir())) == 3


def test_the_mapper_is_asked_about_what_decides_which_mappings_fit():
    anchors = find_anchors(CHIP, HARDWARE, most=4)
    assert anchors.figures == ("hw.bandwidth",)
    assert len(anchors.points) == 4
    assert {point["hw.bandwidth"] for point in anchors.points} == {20}
    few = find_anchors(CHIP, HARDWARE, most=3)
    assert {point["hw.pes_x"] for point in few.points} == {1, 4}
    assert {point["hw.register_file"] for point in few.points} == {32}


def test_chips_that_keep_tensors_between_operators_are_refused():
    network = CELLS.build(CELLS.baseline())
    check_costs_add_up(network, CHIP)
    with pytest.raises(CannotDo, match="sweep a sample"):
        check_costs_add_up(network, dt.load_accelerator("coral_usb"))


def test_an_operator_that_fits_nowhere_is_named():
    tiny = CHIP.with_parameters(register_file=8)
    group = next(group for group in groups_of(CELLS.build(CELLS.baseline())) if isinstance(group.head, Op))
    tables = HardwareTables(tiny, HARDWARE, QUICK, cache=False, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Question, "ask", lambda self, op, accelerator: None)
        with pytest.raises(Infeasible, match=r"fits none of the 8 accelerators"):
            tables.tables([group])
        patch.setattr(Question, "ask", None)  # it is not asked again
        with pytest.raises(Infeasible, match=r"fits none of the 8 accelerators"):
            tables.tables([group])


def test_a_space_of_one_accelerator_is_swept_too():
    one = hardware_space(CHIP, [])
    costs = TableSweep(CELLS, CHIP, one, QUICK, cache=False, workers=1).costs(CELLS.baseline())
    assert costs.latency_s.shape == (1,)
    assert np.isfinite(costs.energy_j).all()


def test_what_does_not_fit_is_infinite():
    op = next(op for op in CELLS.build(CELLS.baseline()).contractions)
    wide = QUICK.ask(op, chip(HARDWARE.size - 1))
    assert wide is not None
    portfolio = Portfolio.of(op, [wide, wide])
    assert len(portfolio) == 1
    places, energy, cycles = portfolio.best([CHIP.with_parameters(simd_units=16, pes_x=1, pes_y=1)], QUICK)
    assert (places[0] == -1) == np.isinf(energy[0]) == np.isinf(cycles[0])


def test_a_mapping_that_pays_at_high_bandwidths_alone_is_found():
    edge = dt.load_accelerator("edge_tpu").with_parameters(pes_x=8, pes_y=2, compute_lanes=2, register_file=16)
    chips = [edge.with_parameters(bandwidth=bandwidth) for bandwidth in (5, 10, 15, 20, 25)]
    op = conv2d("stem", k=16, c=3, p=16, q=16, r=3, s=3)
    frugal = [
        f"L2[WIO] P{outside} Q2@pes.y - L1[WIO] P{16 // outside} Q2X - L0[WIO] {loops} K16X S3X"
        for outside in (16, 8, 4)
        for loops in map(" ".join, itertools.permutations(("C3", "R3", "Q4")))
    ]
    fast = "L2[WIO] P16 Q4X Q2@pes.y - L1[WIO] Q2X - L0[WIO] C3 R3 K16X S3X"
    problem = Problem(op, edge)
    mappings = [problem.from_mapping(dt.parse_mapping(text, edge)) for text in (*frugal, fast)]
    places, energy, cycles = Portfolio.of(op, mappings).best(chips, QUICK)
    assert places[0] < len(frugal)
    assert (places[3], cycles[3] < 300) == (len(frugal), True)
    for at, one in enumerate(chips):
        alone = Portfolio.of(op, mappings).best([one], QUICK)
        assert (energy[at], cycles[at]) == (alone[1][0], alone[2][0])


def test_the_truth_is_the_best_of_all_designs():
    names = CELLS.space.names
    some = dict.fromkeys(names[:4], ("none", "nor_conv_1x1", "avg_pool_3x3"))
    small = CELLS.space.restrict(some | dict.fromkeys(names[4:], ("skip_connect",)))
    networks = SimpleNamespace(name="small", space=small, build=CELLS.build, baseline=CELLS.baseline)
    truth = enumerate_networks(TableSweep(networks, CHIP, HARDWARE, QUICK, cache=False, workers=1))
    accuracy = np.random.default_rng(0).uniform(10, 90, small.size)
    designs = [
        (truth.costs(small.point(network)), network, number)
        for network, number in itertools.product(range(small.size), range(HARDWARE.size))
        if truth.kind[network] >= 0
    ]
    assert truth.points == small.size * HARDWARE.size
    limit = float(np.median([costs.latency_s[number] for costs, _, number in designs]))
    allowed = truth.area_mm2 <= np.median(truth.area_mm2)
    fitting = [
        (accuracy[network], -costs.energy_j[number], network, number)
        for costs, network, number in designs
        if costs.latency_s[number] <= limit and allowed[number]
    ]
    assert truth.best(accuracy, allowed, limit) == max(fitting)[2:]
    points = np.array([
        (costs.latency_s[number], costs.energy_j[number], 100 - accuracy[network])
        for costs, network, number in designs
        if allowed[number]
    ])  # fmt: skip
    kept = points[non_dominated(points)]
    front = truth.front(100 - accuracy, allowed)
    assert sorted(map(tuple, front)) == sorted(map(tuple, kept))
    with pytest.raises(BadInput, match="no design"):
        truth.best(accuracy, allowed, 0.0)


def test_a_problem_moved_to_another_chip_reads_like_one_made_for_it():
    rng = np.random.default_rng(3)
    everything = hardware_space(CHIP)
    for op in dt.load_network("resnet18").contractions[:3]:
        problem = Problem(op, CHIP)
        for _ in range(10):
            other = CHIP.with_parameters(**hardware_values(everything.sample(rng)))
            problem = problem.on(other)
            assert problem.arrays.tobytes() == Problem(op, other).arrays.tobytes()
    with pytest.raises(BadInput, match="other memories"):
        problem.on(dt.load_accelerator("eyeriss"))
