"""SCALE-Sim 3 and the closed forms of systolic arrays on the same matrix products, side by side.

    python -m venv peer && peer/bin/pip install scalesim==3.0.0 "numpy<2.3"
    python benchmarks/scalesim_compare.py --peer peer/bin/python

SCALE-Sim runs in its own environment with bandwidth not limiting ("CALC"), one run for each array and dataflow; its
"Total Cycles", which carry the number of the last cycle from zero, and its mapping efficiency are compared.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dovetail.accel.systolic import Dataflow, Gemm, SystolicArray, scalesim_cycles

FLOWS: dict[str, Dataflow] = {"ws": "weight_stationary", "os": "output_stationary", "is": "input_stationary"}
ARRAYS = ((4, 4), (8, 8), (16, 16), (8, 4), (5, 12), (32, 32))
PRODUCTS = (
    Gemm(1, 1, 1), Gemm(4, 4, 4), Gemm(9, 7, 5), Gemm(16, 16, 16), Gemm(17, 16, 16), Gemm(16, 17, 16),
    Gemm(16, 16, 17), Gemm(1, 64, 40), Gemm(50, 3, 33), Gemm(100, 27, 10), Gemm(33, 65, 34),
)  # fmt: skip
SETTINGS = """[general]
run_name = run
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {columns}
IfmapSramSzkB = 1024
FilterSramSzkB = 1024
OfmapSramSzkB = 1024
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Bandwidth = 10
Dataflow = {flow}
ReadRequestBuffer = 512
WriteRequestBuffer = 512
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 10
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
RUN = """import sys
from scalesim.scale_sim import scalesim
scalesim(verbose=False, config=sys.argv[1], topology=sys.argv[2], layout=sys.argv[3],
         input_type_gemm=True).run_scale(top_path=sys.argv[4])
"""


def peer_rows(peer: str, rows: int, columns: int, flow: str, products: Sequence[Gemm]) -> list[tuple[int, float]]:
    """SCALE-Sim's (total cycles, mapping efficiency in percent) of each product."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.cfg").write_text(SETTINGS.format(rows=rows, columns=columns, flow=flow))
        lines = [f"p{index},{gemm.m},{gemm.n},{gemm.k},\n" for index, gemm in enumerate(products)]
        (folder / "topology.csv").write_text("Layer,M,N,K,\n" + "".join(lines))
        # Its layout file is read in every mode, and used in none of these runs.
        (folder / "layout.csv").write_text("Layer\n" + "".join(f"p{i}" + ",1" * 20 + ",\n" for i in range(len(lines))))
        paths = [str(folder / part) for part in ("run.cfg", "topology.csv", "layout.csv", "")]
        subprocess.run([peer, "-c", RUN, *paths], check=True, capture_output=True)
        with (folder / "run" / "COMPUTE_REPORT.csv").open() as report:
            table = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(report)]
    return [(int(float(row["Total Cycles"])), float(row["Mapping Efficiency %"])) for row in table]


def compare(peer: str) -> int:
    """Print every product on every array; the number of rows that differ."""
    different = 0
    print(f"{'array':>7} {'flow':>4} {'m':>5} {'k':>5} {'n':>5} {'SCALE-Sim':>10} {'ours':>8} {'map %':>9} {'ours':>7}")
    for rows, columns in ARRAYS:
        for flow, dataflow in FLOWS.items():
            array = SystolicArray(rows, columns, dataflow)
            for gemm, (cycles, mapped) in zip(PRODUCTS, peer_rows(peer, rows, columns, flow, PRODUCTS), strict=True):
                own, efficiency = scalesim_cycles(array, gemm), 100.0 * array.run(gemm).mapping_efficiency
                different += own != cycles or abs(efficiency - mapped) > 1e-6
                print(
                    f"{rows:>3}x{columns:<3} {flow:>4} {gemm.m:>5} {gemm.k:>5} {gemm.n:>5} "
                    f"{cycles:>10} {own:>8} {mapped:>9.3f} {efficiency:>7.3f}"
                )
    print(f"{different} of {len(ARRAYS) * len(FLOWS) * len(PRODUCTS)} rows differ")
    return different


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 where a row differs."""
    parser = argparse.ArgumentParser(description="SCALE-Sim 3 beside the closed forms of systolic arrays")
    parser.add_argument("--peer", required=True, help="Python of an environment with scalesim==3.0.0")
    return 1 if compare(parser.parse_args(arguments).peer) else 0


if __name__ == "__main__":
    sys.exit(main())
