"""What stays on the chip between operators follows the rule, and estimates of whole networks follow the plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plain_mapper import PlainMapper

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Compute, Host, Memory, Vector
from dovetail.errors import Infeasible
from dovetail.mapper.base import Limits
from dovetail.mapper.constraints import Constraints, LevelConstraint
from dovetail.mapper.residency import SHARE, Plan, plan_residency
from dovetail.models.builder import NetworkBuilder
from dovetail.models.op import ROLES, batched_matmul, linear

ALL = frozenset(ROLES)
ACTIVATIONS = frozenset({"input", "output"})


def chip(
    words: float,
    keeps: frozenset = ALL,
    resident: frozenset = ALL,
    *,
    aside: float | None = None,
    call_s: float = 0.0,
    operator_s: float = 0.0,
    leakage_w: float = 0.0,
) -> Accelerator:
    """A DRAM at 1 B/cycle and a buffer of so many bytes at 8 B/cycle, one multiplier, eight lanes."""
    dram = Memory("dram", ALL, read_bandwidth_bits_per_s=8e9, shared_port=True,
                  read_energy_j_per_bit=2e-11, write_energy_j_per_bit=2e-11)  # fmt: skip
    buffer = Memory(
        "buffer", keeps, size_bits=8.0 * words, read_bandwidth_bits_per_s=64e9, write_bandwidth_bits_per_s=64e9,
        read_energy_j_per_bit=1e-12, write_energy_j_per_bit=1e-12, leakage_w=leakage_w,
        may_reside=resident, weight_room_bits=None if aside is None else 8.0 * aside,
    )  # fmt: skip
    levels = (dram, buffer, Compute("mac", accumulator_bits=8, energy_j=1e-13), Vector("lanes", 8, energy_j=1e-13))
    return Accelerator("small", 1e9, 45.0, levels, call_overhead_s=call_s, operator_overhead_s=operator_s)


def chain(*widths: int) -> dt.Network:
    """Fully connected layers on one row: a0, a1, …; layer i turns widths[i] words into widths[i + 1]."""
    builder = NetworkBuilder("chain", channels=widths[0])
    for index, width in enumerate(widths[1:]):
        builder.linear(f"a{index}", width, bias=False)
    return builder.build()


def residual() -> dt.Network:
    """a0 (16 words), which an addition reads again behind a1 (64 words) and a2 (16 words), then a3."""
    builder = NetworkBuilder("residual", channels=16)
    builder.linear("a0", 16, bias=False, activation="relu")
    start = builder.here
    builder.linear("a1", 64, bias=False, activation="relu")
    builder.linear("a2", 16, bias=False)
    builder.add("sum", start, activation="relu")
    builder.linear("a3", 8, bias=False)
    return builder.build()


def planned(network: dt.Network, accelerator: Accelerator, crowded: frozenset[str] = frozenset()) -> Plan:
    plan = plan_residency(network, accelerator, crowded)
    assert plan is not None
    return plan


def homes(network: dt.Network, plan: Plan) -> dict[str, str]:
    """The first letters of the tensors that stay, of every operator that is not fused."""
    return {
        op.name: "".join(role[0] for role, share in plan.inside(at).items() if share == 1.0)
        for at, op in enumerate(network.ops)
        if isinstance(op, dt.Op) or not op.fused
    }


# ---- activations -----------------------------------------------------------------------------------------------------


def test_nothing_is_planned_where_nothing_may_stay() -> None:
    assert plan_residency(chain(4, 4), chip(1000, resident=frozenset())) is None


def test_activations_stay_and_the_networks_own_input_and_output_do_not() -> None:
    network = chain(16, 16, 16, 16)
    plan = planned(network, chip(4000, resident=ACTIVATIONS))
    assert homes(network, plan) == {"a0": "o", "a1": "io", "a2": "i"}
    assert (plan.activation_bits, plan.resident_bits, plan.resident_share) == (2 * 16 * 8, 2 * 16 * 8, 1.0)
    assert (plan.cached_bits, plan.streamed_bits) == (0, 3 * 256 * 8)


def test_a_tensor_lives_until_a_residual_addition_reads_it() -> None:
    network = residual()
    plan = planned(network, chip(4000, resident=ACTIVATIONS))
    assert homes(network, plan) == {"a0": "o", "a1": "io", "a2": "io", "sum": "io", "a3": "i"}
    step = 4000 * 8 * SHARE
    rooms = [dict(one.rooms)["buffer"] for op, one in zip(network.ops, plan.residences, strict=True) if op.macs]
    taken = [16, 16 + 64, 16 + 64 + 16, 16]  # words alive during a0, a1, a2, a3
    assert rooms == [(4000 * 8 - 8 * words) // step * step for words in taken]


def test_what_is_needed_last_gives_way_where_not_all_fits() -> None:
    network = residual()
    fitting = 16 + 64 + 16
    keeps = ACTIVATIONS  # weights do not pass the buffer, so that what is resident needs no room for tiles
    assert homes(network, planned(network, chip(fitting / (1 - SHARE), keeps, keeps)))["sum"] == "io"
    tight = planned(network, chip(fitting - 1, keeps, keeps))
    assert homes(network, tight) == {"a0": "", "a1": "o", "a2": "io", "sum": "o", "a3": "i"}
    assert tight.inside([op.name for op in network.ops].index("sum"))["input"] == 0.5
    assert hash(tight) == hash(planned(network, chip(fitting - 1, keeps, keeps)))
    assert tight.resident_bits == 8 * (64 + 16 + 16)


def test_streamed_tiles_are_left_their_share() -> None:
    network = chain(16, 16, 16)
    enough = 16 / (1 - SHARE)
    assert planned(network, chip(enough + 1, resident=ACTIVATIONS)).resident_share == 1.0
    assert planned(network, chip(enough - 1, resident=ACTIVATIONS)).resident_share == 0.0


def test_a_fused_operator_works_in_place() -> None:
    builder = NetworkBuilder("fused", channels=16)
    builder.linear("a0", 16, bias=False, activation="relu")
    builder.linear("a1", 16, bias=False)
    plan = planned(builder.build(), chip(40, ACTIVATIONS, ACTIVATIONS))
    assert plan.activation_bits == 16 * 8
    assert plan.resident_share == 1.0


def test_tensors_read_as_one_operand_stay_or_go_together() -> None:
    left, right = linear("left", n=1, k=16, c=4, bias=False), linear("right", n=1, k=32, c=4, bias=False)
    both = linear("both", n=1, k=4, c=48, bias=False)
    layers = (dt.Layer(left), dt.Layer(right), dt.Layer(both, ("left", "right")))
    network = dt.Network("concatenated", layers)
    wide = planned(network, chip(100, ACTIVATIONS, ACTIVATIONS))
    assert homes(network, wide) == {"left": "o", "right": "o", "both": "i"}
    tight = planned(network, chip(47, ACTIVATIONS, ACTIVATIONS))
    assert homes(network, tight) == {"left": "", "right": "", "both": ""}


def attention(keys: int, *, products_of_two: bool = True) -> dt.Network:
    query, key = linear("query", n=4, k=8, c=8, bias=False), linear("key", n=4, k=8, c=8, bias=False)
    scores = batched_matmul("scores", g=1, n=4, k=keys, c=8)
    inputs = ("query", "key") if products_of_two else ("query",)
    return dt.Network("attention", (dt.Layer(query), dt.Layer(key), dt.Layer(scores, inputs), dt.Layer(
        linear("last", n=4, k=4, c=keys, bias=False), ("scores",))))  # fmt: skip


def test_both_operands_of_a_product_of_activations_stay() -> None:
    network = attention(4)
    plan = planned(network, chip(4000))
    assert homes(network, plan)["scores"] == "iwo"
    assert plan.cached_bits + plan.streamed_bits == 8 * (2 * 64 + 16)  # an activation is no parameter


def test_an_operand_that_its_memory_cannot_serve_does_not_stay() -> None:
    network = attention(4)
    found = homes(network, planned(network, chip(4000, ACTIVATIONS, ACTIVATIONS)))
    assert found == {"query": "o", "key": "", "scores": "io", "last": "i"}


def test_keys_of_earlier_runs_come_from_outside() -> None:
    network = attention(6)  # two more tokens than this run made
    assert homes(network, planned(network, chip(4000, resident=ACTIVATIONS)))["scores"] == "io"


def test_operands_that_cannot_be_told_apart_stay_together() -> None:
    network = attention(4, products_of_two=False)
    found = homes(network, planned(network, chip(4000)))
    assert found["scores"] == "iwo"
    assert homes(network, planned(network, chip(4000, ACTIVATIONS, ACTIVATIONS)))["scores"] == "o"


# ---- weights ---------------------------------------------------------------------------------------------------------


def test_weights_are_cached_in_the_networks_order_as_far_as_they_fit() -> None:
    network = chain(8, 16, 32, 4)  # weights of 128, 512 and 128 words
    weights = frozenset({"weight"})
    room = 300 / (1 - SHARE) + 1
    plan = planned(network, chip(room, resident=weights))
    assert homes(network, plan) == {"a0": "w", "a1": "", "a2": "w"}
    assert (plan.cached_bits, plan.streamed_bits) == (256 * 8, 512 * 8)
    assert planned(network, chip(900, resident=weights)).streamed_bits == 0


def test_activations_come_before_weights() -> None:
    network = chain(16, 64, 16)  # 64 words between weights of 1024 each
    least = 64 + 1024
    assert homes(network, planned(network, chip(least / (1 - SHARE) + 1))) == {"a0": "wo", "a1": "i"}
    assert homes(network, planned(network, chip(least / (1 - SHARE) - 1))) == {"a0": "o", "a1": "i"}


def test_a_part_set_aside_for_weights_holds_them_and_nothing_else() -> None:
    network = chain(16, 64, 16)
    plan = planned(network, chip(4000, aside=1500))
    assert homes(network, plan) == {"a0": "wo", "a1": "i"}
    step = 4000 * 8 * SHARE
    assert dict(plan.residences[1].rooms)["buffer"] == (2500 - 64) * 8 // step * step
    none_left = planned(network, chip(4000, aside=3995))
    assert homes(network, none_left) == {"a0": "w", "a1": "w"}


def test_a_crowded_operator_runs_with_no_activation_beside_it() -> None:
    network = residual()
    plan = planned(network, chip(4000), frozenset({"a1"}))
    assert homes(network, plan) == {"a0": "w", "a1": "", "a2": "wo", "sum": "o", "a3": "iw"}


# ---- estimates -------------------------------------------------------------------------------------------------------


def test_staying_saves_energy_and_time_and_the_estimate_still_adds_up() -> None:
    network = residual()
    away, activations, everything = (
        dt.estimate(network, chip(8000, resident=roles), cache=False) for roles in (frozenset(), ACTIVATIONS, ALL)
    )
    assert away.energy_j > activations.energy_j > everything.energy_j
    assert away.latency_s > activations.latency_s > everything.latency_s
    assert sum(everything.breakdown().values()) == pytest.approx(everything.energy_j, rel=1e-12)
    moved = everything.breakdown()["dram"] / 2e-11 / 8
    assert moved == pytest.approx(16 + 8)  # nothing but the network's own input and output


def test_every_mapping_of_the_schedule_costs_on_its_variant_what_the_estimate_says() -> None:
    estimate = dt.estimate(residual(), chip(4000), cache=False)
    for op, variant, mapping, cost in zip(
        estimate.network.ops, estimate.variants, estimate.schedule.mappings, estimate.costs, strict=True
    ):
        if mapping:
            assert dt.evaluate(op, variant, mapping) == cost


def test_the_table_says_where_every_tensor_is() -> None:
    rows = {row["name"]: row for row in dt.estimate(residual(), chip(4000), cache=False).rows()}
    places = {name: [row[f"{role}_at"] for role in ROLES] for name, row in rows.items()}
    assert places["a0"] == ["dram", "buffer", "buffer"]
    assert places["a0.relu"] == ["", "", ""]
    assert places["sum"] == ["buffer", "", "buffer"]
    tight = {
        row["name"]: row for row in dt.estimate(residual(), chip(95, ACTIVATIONS, ACTIVATIONS), cache=False).rows()
    }
    assert tight["sum"]["input_at"] == "dram+buffer"


def test_a_vector_operator_takes_its_words_from_where_they_are() -> None:
    op = dt.VectorOp("add", "add", 16, 32, 16)
    here, half, away = (
        dt.accel.evaluate_vector(op, chip(100), inside=inside)
        for inside in ({"input": 1.0, "output": 1.0}, {"input": 0.5, "output": 1.0}, {})
    )
    assert here.energy_j == pytest.approx(48 * 8 * 1e-12 + 16e-13)
    assert (here.cycles, half.cycles, away.cycles) == (4.0, 16.0, 48.0)
    assert (here.bound, half.bound) == ("buffer", "dram")
    assert half.energy["dram", "input"] == pytest.approx(16 * 8 * 2e-11)


def test_equal_layers_at_different_depths_are_mapped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainMapper, "asked", [])
    dt.estimate(chain(16, 16, 16, 16, 16, 16), chip(4000, resident=ACTIVATIONS), "plain", cache=False)
    assert len(PlainMapper.asked) == 3  # the first layer, those between, the last


def test_an_operator_without_a_mapping_beside_what_stays_gets_more_room() -> None:
    """A demand for tiles of 64 channels, for which the buffer has room only while nothing else is in it."""
    demand = Constraints({"buffer": LevelConstraint(factors={"K": 64})})
    network = residual()
    assert homes(network, planned(network, chip(136))) == {"a0": "o", "a1": "io", "a2": "io", "sum": "io", "a3": "i"}
    plan = dt.estimate(network, chip(136), constraints=demand, cache=False).schedule.plan
    assert plan is not None
    assert homes(network, plan) == {"a0": "", "a1": "", "a2": "o", "sum": "o", "a3": "i"}
    nothing = dt.estimate(network, chip(300, aside=200), constraints=demand, cache=False)
    assert nothing.schedule.plan is None
    assert "keeps nothing on the chip here" in nothing.notes[-1]
    with pytest.raises(Infeasible, match="a1"):
        dt.estimate(network, chip(60), constraints=demand, cache=False)


def test_many_chips_are_answered_in_their_order() -> None:
    network = residual()
    chips = [chip(4000), chip(4000, resident=frozenset()), chip(2), chip(100)]
    found = dt.mapper.estimate_many(network, chips, cache=False)
    assert isinstance(found[2], Infeasible)
    single = [dt.estimate(network, chips[at], cache=False).energy_j for at in (0, 1, 3)]
    assert [found[at].energy_j for at in (0, 1, 3)] == single


# ---- overheads -------------------------------------------------------------------------------------------------------


def test_overheads_add_to_the_latency_and_leakage_runs_during_them() -> None:
    network = residual()  # five operators to start, three more are fused
    plain, slow = (
        dt.estimate(network, chip(4000, leakage_w=1e-3, **overheads), cache=False)
        for overheads in ({}, {"call_s": 1e-3, "operator_s": 5e-6})
    )
    waiting = 1e-3 + 5 * 5e-6
    assert (slow.overhead_s, slow.started_layers) == (pytest.approx(waiting), 5)
    assert slow.latency_s == pytest.approx(plain.latency_s + waiting)
    assert slow.energy_j == pytest.approx(plain.energy_j + 1e-3 * waiting)
    assert slow.breakdown()["leakage"] == pytest.approx(plain.breakdown()["leakage"] + 1e-3 * waiting)
    for by in ("component", "tensor"):
        assert sum(slow.breakdown(by).values()) == pytest.approx(slow.energy_j, rel=1e-12)
    assert [row["overhead_s"] for row in slow.rows()] == [5e-6, 0.0, 5e-6, 0.0, 5e-6, 5e-6, 0.0, 5e-6]
    assert slow.utilization < plain.utilization


def test_a_call_is_paid_once_whatever_the_batch() -> None:
    one, many = (dt.estimate(batched(batch), chip(4000, call_s=1.0), cache=False) for batch in (1, 8))
    assert one.overhead_s == many.overhead_s == 1.0


def batched(batch: int) -> dt.Network:
    builder = NetworkBuilder("batched", channels=4, batch=batch)
    builder.linear("a", 4, bias=False)
    return builder.build()


# ---- mappers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapper", ["random", "annealing", "genetic", "lns", "milp", "gradient"])
def test_heuristic_mappers_take_resident_tensors(mapper: str) -> None:
    limits = Limits(evaluations=2000)
    best = dt.estimate(residual(), chip(4000), cache=False, objective="edp")
    found = dt.estimate(residual(), chip(4000), mapper, cache=False, objective="edp", limits=limits)
    for one, other in zip(best.costs, found.costs, strict=True):
        assert other.edp >= one.edp * (1 - 1e-9)


def test_a_shipped_chip_keeps_its_activations_in_the_unified_buffer() -> None:
    tpu = dt.load_accelerator("tpu_v1")
    network = dt.load_network("autoencoder_ad")
    kept = dt.estimate(network, tpu, cache=False)
    memory = replace(next(one for one in tpu.memories if one.may_reside), may_reside=frozenset())
    levels = tuple(memory if level.name == memory.name else level for level in tpu.levels)
    away = dt.estimate(network, replace(tpu, levels=levels), cache=False)
    assert kept.schedule.plan is not None
    assert kept.schedule.plan.resident_share == 1.0
    assert kept.energy_j < away.energy_j
    assert kept.latency_s <= away.latency_s


def test_what_the_host_reads_and_writes_does_not_stay() -> None:
    builder = NetworkBuilder("net", channels=16)
    builder.linear("a0", 16, bias=False)
    builder.softmax("b")
    builder.linear("a1", 8, bias=False)
    network = builder.build()
    plain = chip(1000, operator_s=1e-6)
    hosted = replace(plain, host=Host(frozenset({"softmax"}), 1e6))
    assert homes(network, planned(network, plain)) == {"a0": "wo", "b": "io", "a1": "iw"}
    assert homes(network, planned(network, hosted)) == {"a0": "w", "b": "", "a1": "w"}
    found = dt.estimate(network, hosted, cache=False)
    assert found.started_layers == 2
    assert found.costs[1].latency_s == pytest.approx(5 * 16 / 1e6)


def test_fused_operators_have_the_lanes_at_the_arrays_outputs() -> None:
    op = dt.VectorOp("relu", "relu", 640, 640, 640, fused=True)
    plain = chip(100)
    wide = replace(plain, levels=(*plain.levels[:-1], Vector("lanes", 8, fused_lanes=64)))
    cycles = [dt.accel.evaluate_vector(op, one, hidden_cycles=4.0).cycles for one in (plain, wide)]
    assert cycles == [76.0, 6.0]
