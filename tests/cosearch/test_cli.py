"""The command line: what a user sees, where the answer goes, and the exit code."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
from pathlib import Path

import pandas as pd
import pytest

import dovetail
from dovetail.cosearch.cli import app, cosearch_main, main, mapping
from dovetail.cosearch.cli.estimate import parse_settings, show_breakdown
from dovetail.cosearch.cli.output import console, jsonable, peak_text
from dovetail.cosearch.cli.request import Request
from dovetail.cosearch.cli.study import _why_none
from dovetail.cosearch.studies.files import Context
from dovetail.document import shipped
from dovetail.errors import BadInput, CannotDo
from dovetail.mapper.base import Certificate
from dovetail.mapper.objective import Objective

EYERISS = Path(dovetail.__file__).parent / "configs" / "accelerators" / "eyeriss.yaml"


@pytest.fixture
def refused(capsys):
    """Run a command that must be refused as bad input; its one message on standard error."""

    def run(*argv: object) -> str:
        code = main([str(word) for word in argv])
        said = capsys.readouterr()
        assert code == 2, said
        assert said.out == ""
        assert "Traceback" not in said.err
        assert said.err.strip()
        return said.err

    return run


def answered(capsys, *argv: object) -> str:
    code = main([str(word) for word in argv])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def test_a_misspelt_command_is_answered_with_the_nearest_one(refused):
    assert "did you mean 'estimate'?" in refused("estimat", "resnet18", "eyeriss")


def test_a_misspelt_option_is_answered_with_the_nearest_one(refused):
    assert "did you mean '--json'?" in refused("estimate", "resnet18", "eyeriss", "--jsn=x")


def test_an_abbreviated_option_is_not_guessed(refused):
    refused("estimate", "resnet18", "eyeriss", "--obj", "edp")


def test_no_command_shows_the_help_and_counts_as_bad_input(refused):
    assert "usage: dovetail" in refused()


@pytest.mark.parametrize("batch", ["0", "-1", "two", "1.5"])
def test_a_batch_that_is_no_positive_whole_number_is_refused(refused, batch):
    assert "at least 1" in refused("estimate", "resnet18", "eyeriss", f"--batch={batch}")


def test_an_unknown_network_is_answered_with_the_nearest_one(refused):
    assert "resnet18" in refused("estimate", "resnet188", "eyeriss")


def test_an_unknown_accelerator_is_answered_with_the_nearest_one(refused):
    assert "eyeriss" in refused("estimate", "resnet18", "eyeris")


def test_swapped_arguments_are_recognised(refused):
    assert "the network comes first" in refused("estimate", "eyeriss", "resnet18")


def test_a_missing_file_is_named(refused, tmp_path):
    assert "none.yaml" in refused("estimate", "resnet18", tmp_path / "none.yaml")


def test_a_folder_in_place_of_a_file_is_refused(refused, tmp_path):
    refused("estimate", "resnet18", tmp_path)
    refused("estimate", tmp_path, "eyeriss")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: [unclosed\n", ":2:1:"),
        ("", ""),
        ("- a\n- list\n", ":1:1:"),
        ("name: a\nname: b\n", ":2:1:"),
        ("\0\1\2", ""),
    ],
    ids=["unclosed", "empty", "a list", "a key twice", "control characters"],
)
def test_a_broken_accelerator_document_is_answered_with_its_place(refused, tmp_path, text, place):
    spec = tmp_path / "chip.yaml"
    spec.write_text(text)
    assert f"chip.yaml{place}" in refused("estimate", "resnet18", spec)


def test_an_unknown_key_is_answered_with_line_and_column(refused, tmp_path):
    spec = tmp_path / "chip.yaml"
    spec.write_text(EYERISS.read_text() + "colour: red\n")
    line = len(spec.read_text().splitlines())
    assert f"chip.yaml:{line}:1: colour" in refused("estimate", "resnet18", spec)


@pytest.mark.parametrize(
    ("good", "wrong", "said"),
    [
        ("{x: pes_x, y: pes_y}", "{x: 0, y: pes_y}", "levels[2].shape.x"),
        ("size: glb_size - 8 KiB", "size: 100 parsecs", "levels[1].size"),
        ("clock: 200 MHz", "clock: 200", "clock"),
        ("component: dram", "component: drum", "levels[0].component"),
        ("size: 12 * 16 bit", "size: 16 bit", "levels[3].size"),
    ],
    ids=["an array of no size", "no unit of size", "no unit", "no such component", "no room for two tiles of a word"],
)
def test_a_wrong_value_is_answered_with_its_place_and_path(refused, tmp_path, good, wrong, said):
    text = EYERISS.read_text()
    assert good in text
    spec = tmp_path / "chip.yaml"
    spec.write_text(text.replace(good, wrong, 1))
    line = text[: text.index(good)].count("\n") + 1
    message = refused("estimate", "resnet18", spec)
    assert f"chip.yaml:{line}:" in message
    assert said in message


def test_unsupported_onnx_operators_are_listed_and_can_be_left_out(refused, capsys, tmp_path):
    import onnx
    from onnx import TensorProto, helper

    shape = [1, 3, 8, 8]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], name="conv", kernel_shape=[1, 1]),
        helper.make_node("Mystery", ["y"], ["z"], name="odd", domain="somewhere.else"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, shape)],
        [helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 1, 1], [0.5] * 9)],
        value_info=[helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("somewhere.else", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "net.onnx")
    assert "Mystery" in refused("estimate", tmp_path / "net.onnx", "eyeriss")
    answer = answered(capsys, "estimate", tmp_path / "net.onnx", "eyeriss", "--allow-unsupported", "--json", "-")
    assert any("Mystery" in note for note in json.loads(answer)["notes"])


def test_noise_in_place_of_onnx_is_refused(refused, tmp_path):
    model = tmp_path / "noise.onnx"
    model.write_bytes(bytes((37 * index + 11) % 256 for index in range(400)))
    assert "noise.onnx" in refused("estimate", model, "eyeriss")


@pytest.mark.parametrize("setting", ["pes_x", "=8", "pes_x=", "pes_x=3", "colour=1", "pes_x=8 KiB"])
def test_a_wrong_parameter_setting_is_refused(refused, setting):
    refused("estimate", "resnet18", "edge_tpu", "--set", setting)


def test_settings_are_numbers_where_they_read_as_such_and_texts_otherwise():
    assert parse_settings("--set", ["a=8", "b=0.5", "c = 20 GB/s"]) == {"a": 8, "b": 0.5, "c": "20 GB/s"}
    with pytest.raises(BadInput, match="twice"):
        parse_settings("--set", ["a=1", "a=2"])


def test_an_empty_study_is_refused(refused, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("")
    assert "study.yaml" in refused("cosearch", "run", study, "--out", tmp_path / "out")


def test_a_report_of_a_folder_without_trials_is_refused(refused, tmp_path):
    assert "trials.jsonl" in refused("cosearch", "report", tmp_path)


def test_an_unwritable_answer_is_refused_before_any_work(refused, tmp_path, monkeypatch):
    def no_work(*_: object) -> None:
        raise AssertionError("worked before checking")

    monkeypatch.setattr("dovetail.cosearch.cli.estimate.load_pair", no_work)
    assert "create it first" in refused("estimate", "resnet18", "eyeriss", "--json", tmp_path / "no" / "e.json")
    assert "folder" in refused("estimate", "resnet18", "eyeriss", "--csv", tmp_path)
    assert "standard output" in refused("estimate", "resnet18", "eyeriss", "--json", "-", "--csv", "-")


def test_a_layer_must_exist_and_have_loops(refused):
    assert "no layer of resnet18" in refused("map", "resnet18", "eyeriss", "--layer", "conv99")


def test_an_unknown_suite_and_a_missing_reference_folder_are_refused(refused, tmp_path):
    assert "did you mean 'networks'?" in refused("validate", "network")
    assert "no folder" in refused("validate", "--reference", tmp_path / "none")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("wrong"), 2, "error: wrong"),
        (CannotDo("impossible"), 1, "error: impossible"),
        (PermissionError(13, "Permission denied", "a.yaml"), 2, "a.yaml: Permission denied"),
        (OSError(28, "No space left on device", "trials.jsonl"), 1, "No space left"),
        (ZeroDivisionError("division by zero"), 1, "DOVETAIL_DEBUG=1"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyboardInterrupt("go on with --resume"), 130, "interrupted; go on with --resume"),
    ],
)
def test_every_failure_has_its_exit_code_and_one_message(monkeypatch, capsys, error, code, said):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("dovetail.cosearch.cli.estimate.load_pair", fail)
    monkeypatch.delenv(app.DEBUG_VARIABLE, raising=False)
    assert main(["estimate", "resnet18", "eyeriss"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_the_traceback_is_there_for_who_asks(monkeypatch, capsys):
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("dovetail.cosearch.cli.estimate.load_pair", fail)
    monkeypatch.setenv(app.DEBUG_VARIABLE, "1")
    assert main(["estimate", "resnet18", "eyeriss"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error(monkeypatch):
    readable, writable = os.pipe()
    os.close(readable)
    with os.fdopen(writable, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        assert main(["list", "accelerators"]) == 141


def test_json_on_standard_output_is_all_there_is(capsys):
    rows = json.loads(answered(capsys, "list", "networks", "--json", "-"))
    assert {"resnet18", "bert_base", "gpt2_decode"} <= {row["name"] for row in rows}
    assert all(row["macs"] > 0 for row in rows)


def test_csv_rows_carry_the_same_names_as_json(capsys):
    rows = list(csv.DictReader(io.StringIO(answered(capsys, "list", "accelerators", "--csv", "-"))))
    assert {"eyeriss", "edge_tpu", "gemmini", "tpu_v1", "simba", "nvdla"} <= {row["name"] for row in rows}
    assert {"clock_hz", "area_mm2", "peak_ops_per_s"} <= set(rows[0])


@pytest.mark.parametrize("what", [
    "constraints", "studies", "mappers", "spaces", "strategies", "modes", "technologies", "accuracy",
    "indicators",
])  # fmt: skip
def test_every_listing_names_something(capsys, what):
    assert len(answered(capsys, "list", what).splitlines()) > 2


@pytest.mark.parametrize("what", ["accelerator", "network", "constraints", "space", "study"])
def test_every_schema_is_a_json_schema_of_an_object(capsys, what):
    schema = json.loads(answered(capsys, "schema", what))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["properties"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--objective", "enrgy"], "unknown objective 'enrgy'; did you mean 'energy'?"),
        (["--objective", "energy + x"], "a mix such as 'energy*latency^2'"),
        (["--mapper", "zzz"], "no mapper named 'zzz'"),
        (["--gap", "1.5"], "'1.5' is not a share"),
        (["--gap", "much"], "write 0.02 or 2%"),
        (["--gap", "nan%"], "is not a share"),
        (["--seconds", "0"], "'0' is not a positive number of seconds"),
        (["--seconds", "soon"], "is not a positive number of seconds"),
        (["--constraints", "none.yaml"], "none.yaml"),
    ],
)
@pytest.mark.parametrize("command", [["estimate"], ["map", "--layer", "conv1"]])
def test_bad_options_on_how_to_map_are_answered_with_what_to_write(refused, command, options, said):
    assert said in refused(*command, "resnet18", "eyeriss", *options)


def test_the_request_is_read_from_the_options():
    parser = argparse.ArgumentParser()
    Request.add_options(parser)
    request = Request.of(parser.parse_args(["--objective", "energy + 0.5*latency", "--gap", "2%", "--seconds", "30"]))
    assert (request.objective.form, request.objective.latency) == ("sum", 0.5)
    assert (request.limits.gap, request.limits.seconds) == (0.02, 30.0)
    assert request.constraints is None
    assert request.facts["objective"] == "energy + 0.5*latency"


def test_a_certificate_is_shown_and_written(capsys):
    command = ("map", "alexnet", "edge_tpu", "--layer", "conv1", "--objective", "energy")
    said = answered(capsys, *command)
    assert "energy, not proven; no mapping has less than" in said or "energy, proven" in said
    assert "mappings costed" in said
    data = json.loads(answered(capsys, *command, "--json", "-"))
    proof = data["certificate"]
    assert proof["optimum"] == pytest.approx(data["energy_j"])
    assert proof["lower_bound"] <= proof["optimum"]
    assert {"evaluated", "pruned", "seconds", "gap", "proven"} <= set(proof)
    assert (data["objective"], data["limits"]["seconds"]) == ("energy", None)


FRONT = ("map", "alexnet", "edge_tpu", "--layer", "fc8", "--pareto")


def test_the_front_of_a_layer_is_listed_from_the_fastest_to_the_least_energy(capsys, monkeypatch):
    from dovetail.mapper import pareto

    original = pareto.pareto_front
    monkeypatch.setattr(pareto, "pareto_front", lambda *args, **more: original(*args, **more)[::-1])
    command = (*FRONT, "--pareto-resolution", "0.001%")
    data = json.loads(answered(capsys, *command, "--json", "-"))
    times, joules = ([row[name] for row in data["front"]] for name in ("latency_s", "energy_j"))
    assert len(times) > 1
    assert times == sorted(times)
    assert joules == sorted(joules, reverse=True)
    assert all(row["proven"] and row["energy_bound_j"] == row["energy_j"] for row in data["front"])
    assert times[0] / 1.00001 <= data["least_latency_bound_s"] * (1.0 + 1e-9)
    said = answered(capsys, *command)
    assert "what no mapping beats in both latency and energy, in steps of 0.001 %" in " ".join(said.split())
    assert all(f"least {name}" in said for name in ("latency", "energy", "edp"))
    assert "Proven: nothing as fast as one of these takes less energy" in " ".join(said.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pareto", "--mapper", "random"), "leave --mapper out"),
        (("--pareto-resolution", "0.01"), "give both or neither"),
        (("--pareto", "--pareto-resolution", "1.5"), "'1.5' is not a share"),
    ],
)
def test_options_that_make_no_front_are_refused(refused, options, said):
    assert said in " ".join(refused(*FRONT[:-1], *options).split())


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (4.0, "optimum 4 Js edp, proven: no mapping of the mapspace has less"),
        (3.2, "best found 4 Js edp, not proven; no mapping has less than 3.2 Js: at most 25.0% above the optimum"),
        (1.0, "at most 4.0 times the optimum"),
        (0.0, "no mapping has less than 0 Js"),
    ],
)
def test_a_certificate_says_what_it_proves(bound, said):
    lines = mapping._proof(Certificate(4.0, bound, 7, 9, 0.5), Objective.parse("edp"))
    assert said in " ".join(lines[0])
    assert lines[1] == ("search", "0.5 s", "7 mappings costed, 9 ruled out")


def test_an_estimate_says_how_many_layers_are_proven_optimal(capsys):
    assert " of 8  layers" in answered(capsys, "estimate", "alexnet", "edge_tpu")
    data = json.loads(answered(capsys, "estimate", "alexnet", "edge_tpu", "--json", "-"))
    gaps = [row["gap"] for row in data["layers"] if row["macs"]]
    assert data["proven_layers"] == sum(gap <= 1e-12 for gap in gaps)
    assert all(0 <= gap < 1 for gap in gaps)
    assert {row["gap"] for row in data["layers"] if not row["macs"]} == {None}


def test_an_estimate_in_json_sums_up(capsys):
    data = json.loads(answered(capsys, "estimate", "alexnet", "edge_tpu", "--json", "-"))
    assert sum(data["breakdown"].values()) == pytest.approx(data["energy_j"], rel=1e-9)
    assert data["edp"] == pytest.approx(data["energy_j"] * data["latency_s"], rel=1e-9)
    assert sum(row["cycles"] for row in data["layers"]) == pytest.approx(data["cycles"], rel=1e-9)
    assert 0 < data["utilization"] <= 1
    assert data["sources"]


def test_an_estimate_for_people_fits_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = answered(capsys, "estimate", "alexnet", "edge_tpu", "--set", "pes_x=8")
    assert max(map(len, said.splitlines())) <= 80
    assert "alexnet on edge_tpu" in said


def test_columns_give_way_on_a_narrow_terminal_and_names_stay_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    said = answered(capsys, "estimate", "alexnet", "edge_tpu", "--layers")
    layers = said.split("Energy by component")[0]
    assert max(map(len, said.splitlines())) <= 60
    assert "…" not in layers
    assert "bound by" in layers


def test_a_terminal_without_unicode_gets_bars_it_can_show(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    show_breakdown(console(stream), {"dram": 2.0, "mac": 1.0})
    stream.seek(0)
    said = stream.read()
    assert "#" * 24 in said
    assert "?" not in said


@pytest.mark.parametrize(("rate", "text"), [(26.2144e12, "26.2 TOPS"), (67.2e9, "67.2 GOPS"), (2.5e15, "2,500 TOPS")])
def test_a_peak_is_told_in_a_unit_that_fits(rate, text):
    assert peak_text(rate) == text


def test_a_search_without_a_feasible_design_fails_and_says_by_how_much(capsys, tmp_path):
    text = shipped("studies")["edge_imagenet"].read_text(encoding="utf-8")
    study = tmp_path / "tight.yaml"
    study.write_text(text.replace("max: baseline", "max: 0.001 mm2"), encoding="utf-8")
    code = main(["cosearch", "run", str(study), "--out", str(tmp_path / "out"), "--trials", "2", "--workers", "1"])
    said = capsys.readouterr()
    assert code == 1
    assert "no feasible design among 2 trials: 2 break a constraint (area at most 0.001 mm2, the least" in said.err
    assert (tmp_path / "out" / "report.html").is_file()


def told_of(statuses, limits, reasons=(), **metrics):
    """What is said of trials that all failed."""
    blank = [""] * len(statuses)
    trials = pd.DataFrame({"status": statuses, "reason": list(reasons) or blank, **metrics})
    return _why_none(trials, Context("", limits=limits))


def test_only_the_limits_that_nothing_keeps_are_told():
    limits = {"area_mm2": 5.0, "latency_s": 1e-3}
    said = told_of(["constraint"] * 2, limits, area_mm2=[2.0, 3.0], latency_s=[0.002, 0.003])
    assert said == (
        "no feasible design among 2 trials: 2 break a constraint (latency at most 1 ms, the least found is 2 ms); "
        "loosen the constraint or widen the search"
    )
    said = told_of(["constraint"] * 2, limits, area_mm2=[2.0, 9.0], latency_s=[0.002, 0.0005])
    assert "2 break a constraint (area, latency: each limit is kept by some, but not all by one); loosen" in said


def test_trials_that_break_no_constraint_are_told_by_what_most_failed_with():
    reasons = ["fn:top1 failed: no", "memory: too small", "fn:top1 failed: no"]
    said = told_of(["infeasible"] * 3, {}, reasons)
    assert said == (
        "no feasible design among 3 trials: 3 cannot be had (2 of them: fn:top1 failed: no); see to that, or widen the "
        "search"
    )
    assert told_of(["infeasible"], {}, ["gone"]).startswith("no feasible design among 1 trial: 1 cannot be had (gone);")


def test_a_mapping_is_shown_as_a_loop_nest(capsys):
    said = answered(
        capsys, "map", "alexnet", "edge_tpu", "--layer", dovetail.load_network("alexnet").contractions[0].name
    )
    assert "multiply-accumulate" in said
    assert "parallel-for" in said


def test_a_layers_utilization_means_the_same_in_map_and_estimate(capsys):
    chip = ("alexnet", "edge_tpu", "--json", "-")
    layers = json.loads(answered(capsys, "estimate", *chip))["layers"]
    row = next(row for row in layers if row["macs"])
    one = json.loads(answered(capsys, "map", *chip, "--layer", row["name"]))
    assert one["utilization"] == pytest.approx(row["utilization"])
    assert one["compute_utilization"] >= one["utilization"]


def test_cosearch_is_a_command_of_its_own(capsys):
    assert cosearch_main(["--help"]) == 0
    assert "usage: cosearch" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert answered(capsys, "--version").startswith("dovetail ")


def test_what_is_not_finite_becomes_null_in_json():
    assert jsonable({"a": float("inf"), "b": (1, frozenset({"y", "x"}))}) == {"a": None, "b": [1, ["x", "y"]]}


def test_an_estimate_says_what_stays_on_the_chip_and_what_is_overhead(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = shipped("accelerators")["tpu_v1"].read_text()
    chip = tmp_path / "chip.yaml"
    chip.write_text(text.replace("clock: 700 MHz", "clock: 700 MHz\ncall_overhead: 1 ms\noperator_overhead: 5 us"))
    shown = answered(capsys, "estimate", "autoencoder_ad", chip)
    assert "100%  of activations; weights: 0 B cached, 264 kB streamed a run" in shown
    assert "1.05 ms  of the latency: the call, and 10 operators to start" in shown
    data = json.loads(answered(capsys, "estimate", "autoencoder_ad", chip, "--json", "-"))
    assert data["residency"]["resident_share"] == 1.0
    assert data["overhead_s"] == pytest.approx(1.05e-3)
    assert [row["input_at"] for row in data["layers"] if row["macs"]] == ["host", *9 * ["unified_buffer"]]
    plain = json.loads(answered(capsys, "estimate", "autoencoder_ad", "edge_tpu", "--json", "-"))
    assert (plain["residency"], plain["overhead_s"]) == (None, 0.0)
