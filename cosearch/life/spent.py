"""What search and training spend in a data centre, as entries of a life cycle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

from ...energy.life import Amount, Once
from ...energy.quantities import format_si, is_figure, to_si
from ...errors import BadInput, shortened
from ...models.network import Network
from .deployment import YEAR_S, Deployment
from .made import made_of

if TYPE_CHECKING:
    from ...mapper.training import TrainingEstimate

__all__ = [
    "NONE", "RECIPE", "SearchCost", "SearchSpent", "Spent", "search_entries", "training_entries", "trainings_of",
]  # fmt: skip

RECIPE = "recipe"
NONE = "none"
TRAINING_HARDWARE = "training hardware"
SEARCH_HARDWARE = "search hardware"
_STATED = "stated"
_SCRIPTS = "public training scripts take about twice as much"
_SERVER_YEARS = 4.0  # how long data centres keep training machines; its share of them is counted with the training


@dataclass(frozen=True)
class SearchCost:
    """A search of ``trials``: each spends ``trial_j`` joules and a share of one base training (``training_share``).

    ``accuracy_j`` are the joules all of them together spent on finding out accuracies.
    """

    trials: int
    trial_j: float = 0.0
    training_share: float = 0.0
    accuracy_j: float = 0.0

    def __post_init__(self) -> None:
        for name in ("trials", "trial_j", "training_share", "accuracy_j"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) < math.inf:
                raise BadInput(f"search: {name} is {value}; give a finite number from 0 on")


Spent: TypeAlias = "TrainingEstimate | float | str"
SearchSpent: TypeAlias = "SearchCost | float | str"
Entries: TypeAlias = tuple[tuple[Once, ...], tuple[str, ...]]


def trainings_of(
    network: Network | None, training: Spent | Mapping[str, Spent | None] | None
) -> tuple[dict[str, TrainingEstimate | float], tuple[str, ...]]:
    """Base training, compression and retraining as told, by name: modelled runs, or joules; and notes.

    ``network`` is what recipes train, described for one sample. Raises `BadInput` for an energy that is none, for a
    recipe without a ``network`` and for anything else; `UnknownName` for an unknown recipe.
    """
    named = training if isinstance(training, Mapping) else {"base": training}
    found: dict[str, TrainingEstimate | float] = {}
    notes: list[str] = []
    for name, spent in named.items():
        if spent is None or spent == NONE:
            continue
        energy = _energy(f"training '{name}'", spent)
        if energy is not None:
            found[str(name)] = energy
            continue
        run = _run_of(network, spent)
        if run is not None:
            found[str(name)] = run
        elif network is not None:
            notes.append(f"no training is counted: {network.name} has no recipe of its own; "
                         "give one's name (dovetail list recipes) or an energy")  # fmt: skip
    return found, tuple(notes if found or notes else ["no training is counted"])


def _run_of(network: Network | None, spent: object) -> TrainingEstimate | None:
    """A run as given, or that of a recipe; None where the network has no recipe of its own."""
    from ...mapper.training import TrainingEstimate, estimate_training, load_recipe, recipe_of

    if isinstance(spent, TrainingEstimate):
        return spent
    if not isinstance(spent, str):
        raise BadInput(f"training is of type {type(spent).__name__}; give a recipe's name, '5 kWh', or joules")
    if spent != RECIPE:
        load_recipe(spent)
    if network is None:
        raise BadInput("a recipe trains a network for one sample; give it (network=...), an energy, or training=None")
    wanted = recipe_of(network) if spent == RECIPE else spent
    return None if wanted is None else estimate_training(network, recipe=wanted)


def training_entries(trainings: Mapping[str, TrainingEstimate | float], deployment: Deployment) -> Entries:
    """What each training spends, repeated at every refresh; and notes."""
    times = 1.0 + deployment.refreshes
    entries: list[Once] = []
    notes: list[str] = []
    for name, spent in trainings.items():
        if isinstance(spent, float):
            amount = in_data_centre(spent, deployment)
            entries.append(Once(name, "training", amount, times, _STATED, (_grid_source(deployment),)))
            continue
        made, told = _estimated(name, spent, times, deployment)
        entries += made
        notes += told
    return tuple(entries), tuple(notes)


def _estimated(name: str, run: TrainingEstimate, times: float, deployment: Deployment) -> tuple[list[Once], list[str]]:
    """A modelled run: its electricity, and its share of the life of the machines it ran on."""
    amount = in_data_centre(run.energy_j, deployment, run.time_s)
    kwh, hours = run.energy_j / 3.6e6, run.time_s * run.devices / 3600.0
    machines = f"{run.devices} x {run.accelerator.name}"
    note = f"{name}: {run.recipe.name} on {machines}, modelled: {kwh:,.4g} kWh, {hours:,.4g} h; {_SCRIPTS}"
    sources = (*run.sources(), _grid_source(deployment))
    entries = [Once(name, "training", amount, times, note, sources)]
    own = [f"{name}: {line}" for line in run.notes if line not in run.accelerator.notes]
    own += _when(name, run, deployment)
    try:
        parts, made_notes = made_of(run.accelerator, deployment.of_others())
    except BadInput as error:
        return entries, [note, *own, f"making the {TRAINING_HARDWARE} is not counted: {error}"]
    share = run.devices * run.time_s / (_SERVER_YEARS * YEAR_S)
    hardware = Amount(
        share * math.fsum(one.energy_j for one in parts.values()),
        share * math.fsum(one.co2e_kg for one in parts.values()),
    )
    made_sources = tuple(line for one in parts.values() for line in one.sources)
    told = f"share of {_SERVER_YEARS:g} years"
    entries.append(Once(TRAINING_HARDWARE, "embodied", hardware, times, told, made_sources))
    return entries, [note, *own, *made_notes]


def search_entries(search: SearchSpent | None, trained: Sequence[Once], deployment: Deployment) -> Entries:
    """The search as told, if it is; ``trained`` is what its trials may have spent a share of.

    Raises `BadInput` for what is no search, and for a share of a training that is not counted.
    """
    if search is None:
        return (), ("no search is counted",)
    source = (_grid_source(deployment),)
    if not isinstance(search, SearchCost):
        energy_j = _energy("search", search)
        if energy_j is None:
            raise BadInput(f"search: '{shortened(search)}' is no energy; write e.g. '5 kWh'")
        return (Once("search", "search", in_data_centre(energy_j, deployment), 1.0, _STATED, source),), ()
    amount = in_data_centre(search.trials * search.trial_j + search.accuracy_j, deployment)
    note = f"search: {search.trials} trials of {format_si(search.trial_j, 'J')}"
    note += f" and {format_si(search.accuracy_j, 'J')} for accuracies" if search.accuracy_j else ""
    trainings = search.trials * search.training_share
    if not trainings:
        return (Once("search", "search", amount, 1.0, note, source),), (note,)
    base = next((entry for entry in trained if entry.phase == "training"), None)
    if base is None:
        raise BadInput("search: its trials spend a share of a training, but none is counted; give the training's cost")
    note += f" and {search.training_share:.2%} of a training each"
    entries = [Once("search", "search", amount + base.amount * trainings, 1.0, note, source)]
    following = trained[trained.index(base) + 1 :]
    if following and following[0].name == TRAINING_HARDWARE:
        entries.append(replace(following[0], name=SEARCH_HARDWARE, amount=following[0].amount * trainings, times=1.0))
    return tuple(entries), (note,)


def _when(name: str, run: TrainingEstimate, deployment: Deployment) -> list[str]:
    """When a run is to start, and what that saves, where it takes the best hours."""
    if not deployment.best_hours:
        return []
    best = deployment.data_centre_grid.best_hours(run.time_s)
    when, saved = f"hour {best.start_hour:.4g} of the grid's series", f"{best.saved_share:.1%}"
    return [f"{name}: starts at {when} and emits {saved} less so"]


def in_data_centre(energy_j: float, deployment: Deployment, seconds: float = 0.0) -> Amount:
    """What the machines' ``energy_j`` takes of the data centre's grid, with its PUE; in the best hours if so wished."""
    supply = deployment.data_centre_grid
    drawn = energy_j * deployment.pue
    if deployment.best_hours and supply.hourly and seconds:
        return Amount(drawn, drawn * supply.best_hours(seconds).kg_per_j)
    return Amount(drawn, drawn * supply.kg_per_j)


def _energy(what: str, spent: object) -> float | None:
    """Joules, from a number or a text such as ``37 kWh``; None for what is neither."""
    if isinstance(spent, str):
        return to_si(spent, "energy") if is_figure(spent) else None
    if isinstance(spent, bool) or not isinstance(spent, Real):
        return None
    if not 0.0 <= float(spent) < math.inf:
        raise BadInput(f"{what}: an energy of {spent} J cannot be spent; give a finite one from 0 on")
    return float(spent)


def _grid_source(deployment: Deployment) -> str:
    return f"grid of the data centre: {deployment.data_centre_grid.source}"
