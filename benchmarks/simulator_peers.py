"""SCALE-Sim 3 and Dovetail asked the same: ResNet-18's layers on 32 x 32 elements that hold weights.

SCALE-Sim runs as its own command line runs it: SRAM and DRAM traces written, with the SRAM sizes, the array and the
mode of the configuration it ships (`configs/scale.cfg`). That mode, CALC, finds the bandwidth at which nothing stalls;
with a bandwidth stated by the user it takes several times as long. Its topology gets our layers with their padding as
part of the input, so that output sizes and multiply-accumulates are equal.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dovetail as dt

NETWORK = "resnet18"
WORDS_PER_CYCLE = 10  # from DRAM to each of the three memories: what its configuration states
SETTINGS = f"""[general]
run_name = run
[architecture_presets]
ArrayHeight = 32
ArrayWidth = 32
IfmapSramSzkB = 64
FilterSramSzkB = 64
OfmapSramSzkB = 64
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Bandwidth = {WORDS_PER_CYCLE}
Dataflow = ws
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = {WORDS_PER_CYCLE}
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = {WORDS_PER_CYCLE}
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = False
SparseRep = ellpack_block
OptimizedMapping = False
BlockSize = 8
RandomNumberGeneratorSeed = 40
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""
RUN = """
import json, resource, sys, time
begun = time.perf_counter()
from scalesim.scale_sim import scalesim
from scalesim.single_layer_sim import single_layer_sim

def spent():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)

traces, save = [0.0], single_layer_sim.save_traces

def timed(self, path):
    before = spent()
    save(self, path)
    traces[0] += spent() - before

single_layer_sim.save_traces = timed
config, topology, layout, folder = sys.argv[1:]
scalesim(verbose=False, config=config, topology=topology, layout=layout).run_scale(top_path=folder)
figures = {
    "wall_s": time.perf_counter() - begun, "cpu_s": spent(), "traces_cpu_s": traces[0],
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}
print("figures", json.dumps(figures))
"""
ACCELERATOR = f"""name: scalesim_32x32
description: SCALE-Sim's array of 32 x 32 elements that hold weights, with its three memories
source: the configuration that SCALE-Sim 3.0.0 ships
technology: 22 nm
clock: 1 GHz
levels:
  - name: dram
    type: memory
    component: dram
    dram_kind: lpddr4
    size: unbounded
    keeps: [input, weight, output]
    read_bandwidth: {2 * WORDS_PER_CYCLE} B/cycle
    write_bandwidth: {WORDS_PER_CYCLE} B/cycle
  - {{name: ifmap, type: memory, component: sram, size: 64 KiB, keeps: [input], double_buffered: true,
     width: 256 bit, read_bandwidth: 32 B/cycle, write_bandwidth: {WORDS_PER_CYCLE} B/cycle}}
  - {{name: filter, type: memory, component: sram, size: 64 KiB, keeps: [weight], double_buffered: true,
     width: 256 bit, read_bandwidth: 32 B/cycle, write_bandwidth: {WORDS_PER_CYCLE} B/cycle}}
  - {{name: ofmap, type: memory, component: sram, size: 64 KiB, keeps: [output], double_buffered: true,
     width: 256 bit, word: {{output: 8 bit}}, read_bandwidth: 32 B/cycle, write_bandwidth: 32 B/cycle}}
  - {{name: columns, type: array, shape: {{x: 32}}, dims: {{x: [K]}}, reduces: false}}
  - name: rows
    type: array
    shape: {{y: 32}}
    dims: {{y: [C, R, S]}}
    reduces: true
    systolic: {{dataflow: weight_stationary, rows: y, columns: columns.x, overlapped: false}}
  - {{name: element, type: memory, component: register_file, size: 8 bit, keeps: [weight], width: 8 bit}}
  - {{name: mac, type: compute, operand: 8 bit, accumulator: 32 bit, number: int}}
  - {{name: vector, type: vector, lanes: 32, bits: 32 bit}}
"""
DIFFERENCES = (
    "Both move the layers' words through three memories of 64 KiB onto 32 × 32 elements that hold weights. SCALE-Sim "
    "(its shipped mode) takes its order of folds, lists what each cycle reads and writes, and finds the bandwidth at "
    "which nothing stalls. Dovetail takes mappings it has found before and simulates more of the machine in less "
    f"detail: {WORDS_PER_CYCLE} words a cycle from DRAM to each memory, credits and ports that hold tiles up (more "
    "cycles), vector operators; regular stretches are played once, single cycles inside a step come from closed forms."
)


@contextmanager
def folder() -> Iterator[Path]:
    """A place for files that are not needed later."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def write_accelerator(place: Path) -> Path:
    """Our description of the same array."""
    path = place / "scalesim_32x32.yaml"
    path.write_text(ACCELERATOR, encoding="utf-8")
    return path


def topology() -> list[str]:
    """A line per layer: name, input height and width with padding, filter, channels, kernels, stride."""
    lines = []
    for op in dt.load_network(NETWORK).contractions:
        bounds = {"P": 1, "Q": 1, "R": 1, "S": 1} | dict(op.bounds)
        strides = dict(term for rank in op.tensor("input").ranks for term in rank.terms)
        stride = strides.get("P", 1)
        height, width = ((bounds[out] - 1) * stride + bounds[tap] for out, tap in (("P", "R"), ("Q", "S")))
        numbers = (height, width, bounds["R"], bounds["S"], bounds["C"], bounds["K"], stride)
        lines.append(f"{op.name},{','.join(map(str, numbers))},\n")
    return lines


def run(peer: str, place: Path) -> dict[str, Any]:
    """SCALE-Sim's figures: CPU and wall seconds, peak memory, what its traces took of it, its cycles."""
    lines = topology()
    head = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
    files = {
        "run.py": RUN,
        "run.cfg": SETTINGS,
        "topology.csv": head + "".join(lines),
        # It reads a layout in every mode, and uses none here.
        "layout.csv": "Layer\n" + "".join(f"{line.split(',')[0]}{',1' * 20},\n" for line in lines),
    }
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    paths = [str(place / name) for name in files] + [str(place / "out")]
    done = subprocess.run([peer, *paths], check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.split("figures ")[-1])
    out = place / "out" / "run"
    figures["traces_bytes"] = sum(path.stat().st_size for path in out.rglob("*_TRACE.csv"))
    with (out / "COMPUTE_REPORT.csv").open() as report:
        rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(report)]
    shutil.rmtree(out)
    figures["cycles"] = sum(int(float(row["Total Cycles"])) for row in rows)
    figures["stall_cycles"] = sum(int(float(row["Stall Cycles"])) for row in rows)
    return figures | {"layers": len(rows)}
