"""`dovetail simulate`: what a user sees of a simulated run, and what is refused before any work is done."""

from __future__ import annotations

import csv
import io
import json
from importlib import import_module
from typing import Any, get_args

import pytest

from dovetail.accel.simulator.arbitration import Policy as Arbitration
from dovetail.accel.simulator.timeline import OperatorRun, ResourceShare, Timeline
from dovetail.accel.simulator.trace import check_trace
from dovetail.cosearch.cli import main, simulate
from dovetail.cosearch.cli.output import console
from dovetail.cosearch.cli.show_timeline import show_timeline, stacked_bar
from dovetail.mapper.jobs import POLICIES

PAIR = ("simulate", "alexnet", "edge_tpu")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def refused(capsys, monkeypatch):
    """Run a command that must be refused as bad input before anything is mapped; its message."""

    def no_work(*_: object, **__: object) -> None:
        raise AssertionError("worked before checking")

    monkeypatch.setattr(import_module("dovetail.mapper.estimate"), "estimate", no_work)

    def run(*argv: object) -> str:
        code = main([str(word) for word in argv])
        said = capsys.readouterr()
        assert (code, said.out) == (2, ""), said
        return " ".join(said.err.split())

    return run


def answered(capsys, *argv: object) -> str:
    code = main([str(word) for word in argv])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


# ---- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--until", "5"], "'5' has no unit; write e.g. '5 ns'"),
        (["--until", "0 ms"], "must be above zero"),
        (["--until", "-1 ms"], "too small"),
        (["--until", "5 KiB"], "a time is needed"),
        (["--cores", "0"], "at least 1"),
        (["--runs", "none"], "at least 1"),
        (["--seed", "-3"], "at least 0"),
        (["--policy", "pipelin"], "did you mean 'pipeline'?"),
        (["--arbitration", "random"], "known: fifo, round_robin, priority"),
        (["--density", "1.5"], "'1.5' is not a share from 0 to 1; write 0.3 or 30%"),
        (["--density", "0.5:0.9"], "too wide"),
        (["--density", "much:0.1"], "not a share"),
        (["--policy", "pipeline"], "give --cores 2 or more"),
        (["--cores", "2", "--policy", "sequence"], "choose --policy branches or pipeline"),
        (["--also", "resnt18"], "did you mean 'resnet18'?"),
        (["--also", "gemmini"], "'gemmini' is an accelerator"),
    ],
)
def test_a_wrong_option_is_answered_with_what_to_write(refused, options, said):
    assert said in refused(*PAIR, *options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--requests", "10"], "--requests is about serving requests; say when they come, e.g. --arrivals 100/s"),
        (["--keep-frames", "1/4"], "--keep-frames is about serving"),
        (["--exit", "conv1=0.5"], "--exit is about serving"),
        (["--arrivals", "100/s"], "they never end; add --requests 1000 or --until '1 s'"),
        (["--arrivals", "100/s", "--requests", "9", "--runs", "3"], "--runs and --arrivals do not go together"),
        (["--arrivals", "100/s", "--requests", "9", "--trace", "t.json"], "--trace and --arrivals do not go together"),
        (["--arrivals", "100/s", "--requests", "9", "--gantt", "t.png"], "--gantt and --arrivals do not go together"),
        (["--arrivals", "100/s", "--requests", "9", "--cores", "2"], "give --servers for several devices"),
        (["--arrivals", "100/s", "--requests", "9", "--policy", "branches"], "layer after layer"),
        (["--arrivals", "100/s", "--requests", "9", "--layers"], "it shows one run"),
        (["--arrivals", "100/s", "--requests", "9", "--queue", "priority"], "e.g. --priority resnet50=2"),
        (["--arrivals", "100/s", "--requests", "9", "--priority", "alexnet=2"], "give both or neither"),
        (["--arrivals", "100/s", "--requests", "9", "--queue", "priority", "--priority", "alexnet=x"], "no priority"),
        (["--arrivals", "100/s", "--requests", "9", "--mix", "alexnt=0.5"], "no network of --mix named 'alexnt'"),
        (["--arrivals", "100/s", "--requests", "9", "--mix", "0.5"], "write NETWORK=SHARE"),
        (["--arrivals", "100/s", "--requests", "9", "--also", "alexnet"], "two of the networks have one name"),
        (["--arrivals", "0/s", "--requests", "9"], "a rate above zero is written '100/s'"),
        (["--arrivals", "none.csv", "--requests", "9"], "no such trace"),
        (["--arrivals", "100/s", "--requests", "9", "--batch-wait", "1 ms"], "--batch-size; give both or neither"),
        (["--arrivals", "100/s", "--requests", "9", "--power-wake", "1 ms"], "--power-gate-after; give both"),
        (["--arrivals", "100/s", "--requests", "9", "--queue", "edf"], "give one, e.g. --deadline '50 ms'"),
        (["--arrivals", "100/s", "--requests", "9", "--drop", "drop_late"], "give one, e.g. --deadline '50 ms'"),
        (["--arrivals", "100/s", "--requests", "9", "--drop", "drop_oldest"], "give its --capacity"),
        (["--arrivals", "100/s", "--requests", "9", "--batch", "2", "--batch-size", "4"], "give --batch-size alone"),
        (["--arrivals", "100/s", "--requests", "9", "--exit", "conv1"], "write LAYER=SHARE"),
        (["--arrivals", "100/s", "--requests", "9", "--exit", "conv1=2"], "not a share"),
        (["--arrivals", "100/s", "--requests", "9", "--exit", "conv9=0.5"], "no layer of alexnet named 'conv9'"),
        (["--arrivals", "100/s", "--requests", "9", "--exit", "conv1=.5", "--exit", "conv1=.1"], "given twice"),
        (["--arrivals", "100/s", "--requests", "9", "--exit", "conv1=.9", "--exit", "conv2=.9"], "sum to 1.8"),
        (["--arrivals", "100/s", "--requests", "9", "--keep-frames", "2/3"], "for every fourth, 1/4"),
        (["--arrivals", "100/s", "--requests", "9", "--keep-frames", "1/0"], "every: 0 is below 1"),
        (["--arrivals", "alexnt=9/s", "--requests", "9"], "no network of --arrivals named 'alexnt'"),
        (
            ["--arrivals", "9/s", "--requests", "9", "--clock-gate-after", "2 ms", "--power-gate-after", "1 ms"],
            "the clock stops first",
        ),
    ],
)
def test_serving_options_that_do_not_go_together_are_refused(refused, options, said):
    assert said in refused(*PAIR, *options)


def test_a_broken_trace_of_arrivals_is_answered_with_its_line(refused, tmp_path):
    trace = tmp_path / "arrivals.csv"
    trace.write_text("time_s\n0.1\n-0.2\n")
    assert "arrivals.csv:3: the arrival time -0.2 s is negative" in refused(*PAIR, "--arrivals", trace)


@pytest.mark.parametrize("option", ["--trace", "--gantt"])
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(refused, tmp_path, option):
    assert "create it first" in refused(*PAIR, option, tmp_path / "no" / "t.png")
    assert "this is a folder" in refused(*PAIR, option, tmp_path)
    assert "it goes to a file only" in refused(*PAIR, option, "-")
    assert "no ordinary file" in refused(*PAIR, option, "/dev/null")


def test_a_picture_of_an_unknown_kind_is_refused(refused, tmp_path):
    assert "no kind of picture 'txt'; end it in .png" in refused(*PAIR, "--gantt", tmp_path / "run.txt")
    assert "end it in .png" in refused(*PAIR, "--gantt", tmp_path / "run")


def test_one_file_is_not_written_twice(refused, tmp_path):
    path = tmp_path / "out.json"
    assert "--json and --trace both write" in refused(*PAIR, "--json", path, "--trace", path)
    other = f"{tmp_path}/./out.json"
    assert "--trace and --gantt both write" not in refused(*PAIR, "--csv", path, "--trace", other)


def test_the_choices_are_those_of_the_simulator():
    assert set(simulate.POLICIES) == set(POLICIES)
    assert set(simulate.ARBITRATIONS) == set(get_args(Arbitration))


# ---- a run ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with every file it can write."""
    folder = tmp_path_factory.mktemp("run")
    files = {name: folder / f"run.{kind}" for name, kind in (("json", "json"), ("csv", "csv"), ("gantt", "png"))}
    files["trace"] = folder / "trace.json"
    words = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main([*PAIR, *words]) == 0
    return files


def test_json_has_the_names_of_the_attributes(run):
    data = json.loads(run["json"].read_text())
    assert data["network"] == "alexnet"
    assert data["latency_s"] == pytest.approx(data["cycles"] / 800e6)
    assert data["latency_s"] >= data["analytic_s"] * (1 - 1e-9)
    assert data["energy_j"] > 0
    assert sum(data["critical_path"].values()) == pytest.approx(data["cycles"])
    assert {"steps", "walked", "start_s", "stall_cause"} <= set(data["layers"][0])
    assert (data["runs"], data["cores"], data["policy"], data["stepping"]) == (1, 1, "sequence", True)


def test_csv_has_a_row_per_layer_that_runs(run):
    rows = list(csv.DictReader(run["csv"].open()))
    layers = json.loads(run["json"].read_text())["layers"]
    assert [row["name"] for row in rows] == [layer["name"] for layer in layers]
    assert [float(row["latency_s"]) for row in rows] == pytest.approx([layer["latency_s"] for layer in layers])


def test_the_trace_keeps_the_format_s_rules(run):
    check_trace(run["trace"])


def test_the_picture_is_a_picture(run):
    assert run["gantt"].read_bytes().startswith(b"\x89PNG")


def test_a_run_for_people_names_layers_resources_path_and_files(capsys, tmp_path):
    said = answered(capsys, *PAIR, "--trace", tmp_path / "t.json")
    for part in ("fc6", "Resources (█ busy", "Critical path", "alexnet on edge_tpu", "stepped over", "inputs/s"):
        assert part in said
    assert "by the analytic model; the simulated time is" in said
    assert "t.json" in said
    assert max(map(len, said.splitlines())) <= 120


def test_a_run_fits_a_narrow_terminal_and_no_figure_is_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    said = answered(capsys, *PAIR)
    assert max(map(len, said.splitlines())) <= 60
    assert "…" not in said


def test_a_run_that_is_cut_short_says_so(capsys):
    assert "the run was not over" in answered(capsys, *PAIR, "--until", "0.5 ms")
    data = json.loads(answered(capsys, *PAIR, "--until", "0.5 ms", "--json", "-"))
    assert not data["complete"]
    assert data["latency_s"] == pytest.approx(0.5e-3)


@pytest.mark.parametrize("until", ["1 us", "20.97 us", "90 us"])
@pytest.mark.parametrize("cores", ["1", "2"])
def test_a_run_may_be_cut_at_any_moment(capsys, until, cores):
    data = json.loads(answered(capsys, *PAIR, "--until", until, "--cores", cores, "--json", "-"))
    last = data["layers"][-1]
    assert last["stall_cycles"] <= last["cycles"] * (1 + 1e-9)
    assert all(one["busy"] + one["stall"] <= data["cycles"] * (1 + 1e-9) for one in data["resources"])


def test_every_layer_is_shown_where_asked_for(capsys):
    rows = json.loads(answered(capsys, *PAIR, "--json", "-"))["layers"]
    said = answered(capsys, *PAIR, "--layers")
    assert all(row["name"] in said for row in rows)


def test_walking_every_step_gives_the_same(capsys):
    both = [json.loads(answered(capsys, *PAIR, *extra, "--json", "-")) for extra in ([], ["--no-stepping"])]
    assert both[0]["cycles"] == both[1]["cycles"]
    assert sum(row["walked"] for row in both[1]["layers"]) == sum(row["steps"] for row in both[1]["layers"])


def test_several_networks_share_several_cores(capsys):
    said = answered(capsys, *PAIR, "--also", "mobilenet_v2", "--cores", "2")
    assert "alexnet + mobilenet_v2 on edge_tpu" in said
    assert "core 1: mac" in said


def test_what_was_found_is_not_lost_where_a_picture_fails(capsys, monkeypatch, tmp_path):
    from dovetail.errors import BadInput

    def fail(*_: object, **__: object) -> None:
        raise BadInput("cannot write the trace: no space left on device")

    monkeypatch.setattr(Timeline, "to_chrome_trace", fail)
    code = main([*PAIR, "--trace", str(tmp_path / "t.json"), "--json", str(tmp_path / "s.json")])
    assert code == 2
    assert "no space left" in capsys.readouterr().err
    assert json.loads((tmp_path / "s.json").read_text())["cycles"] > 0


# ---- requests -------------------------------------------------------------------------------------------------------

SERVE = (*PAIR, "--arrivals", "poisson:100/s", "--requests", "400")


def served(capsys, *argv: object) -> dict[str, Any]:
    return json.loads(answered(capsys, *argv, "--json", "-"))


def test_requests_are_answered_with_percentiles_load_and_energy(capsys):
    said = answered(capsys, *SERVE)
    for part in ("p99.9", "of it waiting", "alexnet on edge_tpu, poisson:100/s", "utilization", "per answer", "idle"):
        assert part in said
    data = served(capsys, *SERVE)
    assert (data["requests"], data["finished"], data["servers"], data["queue"]) == (400, 400, 1, "fifo")
    assert data["latency_s"]["p50"] <= data["latency_s"]["p99"] <= data["latency_s"]["max"]
    assert sum(data["breakdown"].values()) == pytest.approx(data["energy_j"])
    assert data["utilization"] == pytest.approx(data["seconds"]["active"] / data["end_s"])


def test_one_seed_gives_one_result_and_another_one_another(capsys):
    first, second, other = (served(capsys, *SERVE, "--seed", seed) for seed in (1, 1, 2))
    assert first == second
    assert first["latency_s"] != other["latency_s"]


def test_csv_has_a_row_per_request(capsys):
    rows = list(csv.DictReader(io.StringIO(answered(capsys, *SERVE, "--csv", "-"))))
    assert len(rows) == 400
    assert {"network", "arrival_s", "start_s", "finish_s", "latency_s", "server", "dropped"} <= set(rows[0])


def test_arrivals_come_from_a_file(capsys, tmp_path):
    trace = tmp_path / "arrivals.csv"
    trace.write_text("time_s\n0\n0.001\n5\n")
    data = served(capsys, *PAIR, "--arrivals", trace)
    assert data["finished"] == 3
    assert data["latency_s"]["max"] > data["latency_s"]["p50"]


def test_a_full_queue_drops_and_says_how_many(capsys):
    options = ("--arrivals", "2000/s", "--until", "0.2 s", "--capacity", "3")
    data = served(capsys, *PAIR, *options)
    assert data["dropped_full"] > 0
    assert "refused as the queue was full" in answered(capsys, *PAIR, *options)


def test_more_devices_wait_less(capsys):
    one, two = (served(capsys, *PAIR, "--arrivals", "poisson:300/s", "--requests", "300", "--servers", n) for n in "12")
    assert two["wait_s"]["mean"] < one["wait_s"]["mean"]


def test_a_device_that_sleeps_draws_less_and_wakes(capsys):
    awake = served(capsys, *SERVE)
    asleep = served(capsys, *SERVE, "--power-gate-after", "1 ms", "--power-wake", "10 us", "--retained", "10%")
    assert asleep["energy_j"] < awake["energy_j"]
    assert asleep["wakes"]["power_gated"] > 0
    assert asleep["seconds"]["waking"] == pytest.approx(asleep["wakes"]["power_gated"] * 10e-6)
    said = answered(capsys, *SERVE, "--power-gate-after", "1 ms", "--clock-gate-after", "0.5 ms")
    assert "power gated" in said
    assert "clock gated" in said


@pytest.mark.parametrize("option", [("--exit", "conv3=0.5"), ("--keep-frames", "1/4"), ("--area", "0.3:0.1")])
def test_work_that_depends_on_the_data_costs_less(capsys, option):
    assert served(capsys, *SERVE, *option)["breakdown"]["work"] < served(capsys, *SERVE)["breakdown"]["work"]


def test_where_requests_leave_early_is_told(capsys):
    said = answered(capsys, *SERVE, "--exit", "conv3=50%", "--keep-frames", "0.5")
    assert "after conv3" in said
    assert "frames that the filter did not keep" in said


def test_several_networks_share_a_device(capsys):
    options = ("--also", "mobilenet_v2", "--mix", "alexnet=0.9", "--mix", "mobilenet_v2=0.1")
    data = served(capsys, *SERVE, *options, "--exit", "conv3=0.5")
    rows = {row["network"]: row["requests"] for row in data["by_network"]}
    assert rows["alexnet"] > 5 * rows["mobilenet_v2"] > 0
    said = answered(capsys, *SERVE, *options, "--queue", "priority", "--priority", "mobilenet_v2=1")
    assert "Networks" in said
    assert "alexnet + mobilenet_v2 on edge_tpu" in said


@pytest.mark.parametrize("width", [60, 80])
def test_a_serving_run_fits_a_narrow_terminal_and_no_figure_is_cut(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    said = answered(capsys, *SERVE, "--also", "mobilenet_v2", "--power-gate-after", "1 ms", "--deadline", "4 ms")
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said


def test_a_deadline_counts_who_is_late(capsys):
    assert "answered after their deadline" in answered(capsys, *SERVE, "--deadline", "4 ms")


def test_a_run_without_answers_says_so(capsys):
    assert "no request was answered" in answered(capsys, *PAIR, "--arrivals", "100/s", "--until", "1 us")


# ---- what is printed ------------------------------------------------------------------------------------------------


def made_up(**changes: object) -> Timeline:
    """A timeline of two layers of which one waits."""
    runs = (
        OperatorRun("even", "conv", "toy", 0, 0, 0.0, 100.0, 100.0, 10, 4, {}, {"mac": 100.0}),
        OperatorRun(
            "late", "conv", "toy", 0, 0, 100.0, 250.0, 100.0, 10, 10, {"weight from dram": 50.0}, {"dram": 150.0}
        ),
    )
    shares = (
        ResourceShare("mac", 200.0, 50.0, 0.0, {"weight from dram": 50.0}),
        ResourceShare("dram", 150.0, 0.0, 100.0),
        ResourceShare("host", 0.0, 0.0, 250.0),
    )
    given: dict[str, object] = {
        "network": "toy", "accelerator": "chip", "clock_hz": 1e9, "cycles": 250.0, "energy_j": 1e-6, "log": [],
        "shares": shares, "operators": runs, "critical": {"mac": 100.0, "dram": 150.0},
        "moved": {("dram", "read"): 8e3},
    }  # fmt: skip
    return Timeline(**{**given, **changes})  # type: ignore[arg-type]


def shown(timeline: Timeline, limit: int | None = None, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    show_timeline(console(stream), timeline, 1, limit, [])
    stream.seek(0)
    return stream.read()


def test_where_a_layer_is_beyond_the_model_the_resource_to_blame_is_named():
    said = shown(made_up())
    assert "Contention: 1 of 2 layers take over 10% longer than the analytic model says" in said
    line = next(line for line in said.split("Contention")[1].splitlines() if "weight from dram" in line)
    assert line.split()[:2] == ["dram", "1"]
    assert "25.0% longer" in said


def test_where_no_layer_is_beyond_the_model_it_says_that_none_is():
    run = OperatorRun("even", "conv", "toy", 0, 0, 0.0, 250.0, 250.0)
    said = shown(made_up(operators=(run,)))
    assert "no layer takes over 10% longer" in said
    assert "the simulated time is the same" in said


def test_resources_that_did_nothing_are_named_in_one_line():
    assert "unused: host" in shown(made_up())


def test_of_many_layers_those_are_shown_that_matter_most():
    said = shown(made_up(), 1)
    assert "The 1 of 2 layers" in said
    assert "even" not in said.split("Resources")[0]


def test_a_terminal_without_unicode_gets_bars_it_can_show():
    said = shown(made_up(), encoding="ascii")
    assert "?" not in said
    assert "#" * 19 + "~" * 5 in said


@pytest.mark.parametrize("parts", [(1.0, 1.0, 1.0), (0.0, 0.0, 7.0), (1e-9, 5.0, 0.1), (0.0, 0.0, 0.0)])
def test_a_bar_is_as_long_as_its_parts_together(parts):
    bar = stacked_bar(parts, "abc", 24)
    assert len(bar) == (24 if any(parts) else 0)
    assert list(bar) == sorted(bar)
