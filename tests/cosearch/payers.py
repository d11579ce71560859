"""A search problem whose accuracy is found by a network's first design that needs it."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from study_fakes import study

from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.studies.spec import Budget
from dovetail.cosearch.studies.trial import TrialResult, accuracy_metrics


def paying_study(most=None, trials=60, strategy="{name: random}"):
    """A valid study whose accuracies are counted."""
    budget = Budget(trials=trials, accuracy_evaluations=most)
    return study(trials, strategy=strategy).model_copy(update={"budget": budget})


@dataclass
class PayingProblem:
    """Networks ``net.a``, hardware ``hw.b``; over 7 the area is too large and no accuracy is asked for."""

    log: Path
    space: Space = field(default=Space((Choice("net.a", tuple(range(40))), Choice("hw.b", tuple(range(10))))))
    first: tuple = ()
    limits: dict = field(default_factory=dict)
    baseline: dict = field(default_factory=dict)

    def network_key(self, values):
        return f"net {values['net.a']}"

    def evaluate(self, values, accuracy=None):
        a, b = values["net.a"], values["hw.b"]
        if b > 7:
            return TrialResult("constraint", {"area_mm2": float(b)}, "area_mm2 is too large", b / 7 - 1)
        if accuracy is None:
            with self.log.open("a") as file:
                file.write(f"{a}\n")
            accuracy = Accuracy(70.0 + a / 3, 0.1 * a, 1e6 * a)
        metrics = {"latency_s": 1.0 + a / (1 + b), "energy_j": 1.0 + a * b, "area_mm2": float(b)}
        return TrialResult("ok", metrics | accuracy_metrics(accuracy))

    def asked(self):
        return self.log.read_text().split() if self.log.exists() else []

    def layers(self, values):
        return pd.DataFrame({
            "name": ["conv"], "cycles": [10], "latency_s": [1e-6], "energy_j": [4e-6], "energy_mac_j": [4e-6],
        })  # fmt: skip

    def accuracy_statement(self):
        return "made up"

    def labels(self):
        return {}
