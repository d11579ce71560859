"""A study in a process of its own, for tests that kill it: python killed_study.py OUT WORKERS [CLUSTER]."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from payers import PayingProblem, paying_study

from dovetail.cosearch.studies import run as run_module
from dovetail.cosearch.studies.run import run_study

STUDY = paying_study(30, trials=150, strategy="{name: nsga2, population: 12}")


@dataclass
class SlowProblem(PayingProblem):
    """Takes a moment for each design, so that a kill may hit it."""

    pause_s: float = 0.004

    def evaluate(self, values, accuracy=None):
        with self.log.with_name("pids").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(self.pause_s)
        return super().evaluate(values, accuracy)


def main():
    out = Path(sys.argv[1])
    run_module._write_results = lambda *_: None  # the report is another test's
    problem = SlowProblem(out.with_name(out.name + ".asked"))
    cluster = sys.argv[3] if len(sys.argv) > 3 else None
    result = run_study(STUDY, problem, out=out, workers=int(sys.argv[2]), cluster=cluster, resume=True)
    result.trials().drop(columns="wall_s").to_csv(out / "trials.csv", index=False)
    result.front().drop(columns="wall_s").to_csv(out / "front.csv", index=False)


if __name__ == "__main__":
    main()
