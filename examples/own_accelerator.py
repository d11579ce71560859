"""Describe an accelerator in YAML and see what one of its parameters buys.

The accelerator is made up: an array of 8-bit multipliers that hold their weights, as a much larger one does in Jouppi
et al., "In-Datacenter Performance Analysis of a Tensor Processing Unit", ISCA 2017. Every key is explained in
`docs/accelerators.md`.

    python examples/own_accelerator.py
"""

import tempfile
from pathlib import Path

import dovetail as dt

SPEC = """
name: small
description: A square array of 8-bit multipliers under one buffer
technology: 22 nm
clock: 500 MHz

parameters:
  side: {default: 16, choices: [8, 16, 32], description: rows and columns of the array}
  buffer: {default: 128 KiB, range: [32 KiB, 1 MiB], description: the only memory on the chip}
  bandwidth: {default: 4 GB/s, choices: [2 GB/s, 4 GB/s, 8 GB/s], description: off-chip}

levels:
  - name: dram
    type: memory
    component: dram
    dram_kind: lpddr4
    size: unbounded
    keeps: [input, weight, output]
    bandwidth: bandwidth # one port for reads and writes

  - name: buffer
    type: memory
    size: buffer
    keeps: [input, weight, output]
    double_buffered: true
    read_bandwidth: side * 4 B/cycle
    write_bandwidth: side * 4 B/cycle
    width: 128 bit
    banks: 4

  - name: pes
    type: array
    shape: {column: side, row: side}
    dims: {column: [K], row: [C, R, S]} # output channels along a row, sums down a column
    reduces: true

  - name: registers
    type: memory
    component: register_file
    size: 2 * 8 bit # the weight in use and the next one
    keeps: [weight]
    double_buffered: true
    width: 8 bit

  - name: mac
    type: compute
    operand: 8 bit
    accumulator: 32 bit
    pipeline: side * 1 cycle

  - name: vector
    type: vector
    lanes: side
"""


def main() -> None:
    """Load the spec, then estimate a keyword spotter for every array size and two bandwidths."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.yaml"
        path.write_text(SPEC, encoding="utf-8")
        accelerator = dt.load_accelerator(path)
    network = dt.load_network("ds_cnn_kws")

    print(f"{network.name} ({network.macs / 1e6:.1f} M MACs) on '{accelerator.name}'\n")
    print(f"{'side':>4}{'bandwidth':>11}{'peak':>12}{'area':>11}{'latency':>11}{'energy':>10}{'utilization':>13}")
    for side in (8, 16, 32):
        for bandwidth in ("2 GB/s", "8 GB/s"):
            variant = accelerator.with_parameters(side=side, bandwidth=bandwidth)
            estimate = dt.estimate(network, variant)
            print(
                f"{side:>4}{bandwidth:>11}{variant.peak_ops_per_s / 1e9:>7.0f} GOPS{estimate.area_mm2:>7.2f} mm2"
                f"{estimate.latency_s * 1e6:>8.0f} us{estimate.energy_j * 1e6:>7.1f} uJ{estimate.utilization:>13.1%}"
            )

    try:
        accelerator.with_parameters(side=12, buffer="128 KB")
    except dt.BadInput as error:
        print(f"\nWhat the spec does not allow is refused:\n{error}")


if __name__ == "__main__":
    main()
