"""One simulation in a process of its own, as whoever starts it from a shell has it; prints figures as JSON.

python benchmarks/simulator_child.py NETWORK ACCELERATOR [--fresh] [--walk] [--seconds S] [--gap G]
"""

from __future__ import annotations

import argparse
import json
import resource
import time

BEGUN = time.perf_counter()


def main() -> None:
    """Map, simulate, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("accelerator")
    parser.add_argument("--fresh", action="store_true", help="forget remembered mappings")
    parser.add_argument("--walk", action="store_true", help="step over nothing")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--gap", type=float, default=0.01)
    args = parser.parse_args()

    import dovetail as dt
    from dovetail.mapper.base import Limits

    network, chip = dt.load_network(args.network), dt.load_accelerator(args.accelerator)
    loaded = time.perf_counter()
    limits = Limits(seconds=args.seconds, gap=args.gap)
    found = dt.estimate(network, chip, limits=limits, cache=not args.fresh)
    mapped, mapped_cpu = time.perf_counter(), time.process_time()
    timeline = dt.simulate(network, chip, found.schedule, stepping=not args.walk)
    ended, ended_cpu = time.perf_counter(), time.process_time()
    used = resource.getrusage(resource.RUSAGE_SELF)
    contractions = [run for run in timeline.operators if run.steps]
    print(
        json.dumps(
            {
                "load_s": loaded - BEGUN,
                "map_s": mapped - loaded,
                "simulate_s": ended - mapped,
                "simulate_cpu_s": ended_cpu - mapped_cpu,
                "cpu_s": used.ru_utime + used.ru_stime,
                "peak_mib": used.ru_maxrss / 1024,
                "latency_s": timeline.latency_s,
                "analytic_s": timeline.analytic_s,
                "cycles": timeline.cycles,
                "contraction_cycles": sum(run.cycles for run in contractions),
                "layers": len(contractions),
                "steps": sum(run.steps for run in timeline.operators),
                "walked": sum(run.walked for run in timeline.operators),
            }
        )
    )


if __name__ == "__main__":
    main()
