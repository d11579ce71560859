"""What search and training spend in a data centre, as entries of a life cycle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ...energy.life import Amount, Once
from ...energy.quantities import format_si, to_si
from ...errors import BadInput
from ...models.network import Network
from .deployment import YEAR_S, Deployment
from .made import made_of

if TYPE_CHECKING:
    from ...mapper.training import TrainingEstimate

__all__ = ["RECIPE", "STATED", "SearchCost", "SearchSpent", "Spent", "search_entries", "training_entries"]

RECIPE = "recipe"
TRAINING_HARDWARE = "training hardware"
STATED = "stated"
_SCRIPTS = "public training scripts take about twice as much"
_SERVER_YEARS = 4.0  # how long data centres keep training machines; its share of them is counted with the training


@dataclass(frozen=True)
class SearchCost:
    """A search of ``trials``: each spends ``trial_j`` joules and a share of one base training (``training_share``)."""

    trials: int
    trial_j: float = 0.0
    training_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("trials", "trial_j", "training_share"):
            value = getattr(self, name)
            if isinstance(value, bool) or not (math.isfinite(value) and value >= 0):
                raise BadInput(f"search: {name} is {value}; give a finite number from 0 on")


Spent: TypeAlias = "TrainingEstimate | float | str"
SearchSpent: TypeAlias = "SearchCost | float | str"
Entries: TypeAlias = tuple[tuple[Once, ...], tuple[str, ...]]


def training_entries(network: Network, training: Spent | Mapping[str, Spent] | None, deployment: Deployment) -> Entries:
    """Base training, compression and retraining as told, each repeated at every refresh; and notes.

    Raises `BadInput` for an energy that is none and `UnknownName` for an unknown recipe.
    """
    if training is None or training == "none":
        return (), ("no training is counted",)
    named = training if isinstance(training, Mapping) else {"base": training}
    entries: list[Once] = []
    notes: list[str] = []
    for name, spent in named.items():
        made, told = _trained(str(name), network, spent, deployment)
        entries += made
        notes += told
    return tuple(entries), tuple(notes)


def _trained(name: str, network: Network, spent: Spent, deployment: Deployment) -> tuple[list[Once], list[str]]:
    times = 1.0 + deployment.refreshes
    if isinstance(spent, str):
        energy_j = _energy(spent)
        if energy_j is None:
            return _by_recipe(name, network, spent, deployment)
        spent = energy_j
    if isinstance(spent, int | float):
        amount = in_data_centre(float(spent), deployment)
        return [Once(name, "training", amount, times, STATED, (_grid_source(deployment),))], []
    return _estimated(name, spent, times, deployment)


def _by_recipe(name: str, network: Network, recipe: str, deployment: Deployment) -> tuple[list[Once], list[str]]:
    from ...mapper.training import estimate_training, recipe_of

    wanted = recipe_of(network) if recipe == RECIPE else recipe
    if wanted is None:
        note = f"no training is counted: {network.name} has no shipped recipe; give training='imagenet_90' or an energy"
        return [], [note]
    return _trained(name, network, estimate_training(network, recipe=wanted), deployment)


def _estimated(name: str, run: TrainingEstimate, times: float, deployment: Deployment) -> tuple[list[Once], list[str]]:
    """A modelled run: its electricity, and its share of the life of the machines it ran on."""
    amount = in_data_centre(run.energy_j, deployment, run.time_s)
    kwh, hours = run.energy_j / 3.6e6, run.time_s * run.devices / 3600.0
    machines = f"{run.devices} x {run.accelerator.name}"
    note = f"{name}: {run.recipe.name} on {machines}, modelled: {kwh:,.4g} kWh, {hours:,.4g} h; {_SCRIPTS}"
    parts, made_notes = made_of(run.accelerator, deployment)
    share = run.devices * run.time_s / (_SERVER_YEARS * YEAR_S)
    hardware = Amount(
        share * math.fsum(one.energy_j for one in parts.values()),
        share * math.fsum(one.co2e_kg for one in parts.values()),
    )
    sources = (*run.sources(), _grid_source(deployment))
    made_sources = tuple(line for one in parts.values() for line in one.sources)
    entries = [
        Once(name, "training", amount, times, note, sources),
        Once(TRAINING_HARDWARE, "embodied", hardware, times, f"share of {_SERVER_YEARS:g} years", made_sources),
    ]
    own = [f"{name}: {line}" for line in run.notes if line not in run.accelerator.notes]
    return entries, [note, *own, *made_notes]


def search_entries(search: SearchSpent | None, trained: Sequence[Once], deployment: Deployment) -> Entries:
    """The search as told, if it is; ``trained`` is what its trials may have spent a share of."""
    if search is None:
        return (), ("no search is counted",)
    if isinstance(search, SearchCost):
        base = next((entry.amount for entry in trained if entry.phase == "training"), Amount())
        own = in_data_centre(search.trials * search.trial_j, deployment)
        amount = own + base * (search.trials * search.training_share)
        note = f"search: {search.trials} trials of {format_si(search.trial_j, 'J')}"
        if search.training_share:
            note += f" and {search.training_share:.2%} of a training each"
        return (Once("search", "search", amount, 1.0, note, (_grid_source(deployment),)),), (note,)
    energy_j = _energy(search) if isinstance(search, str) else float(search)
    if energy_j is None:
        raise BadInput(f"search: '{search}' is no energy; write e.g. '5 kWh'")
    amount = in_data_centre(energy_j, deployment)
    return (Once("search", "search", amount, 1.0, STATED, (_grid_source(deployment),)),), ()


def in_data_centre(energy_j: float, deployment: Deployment, seconds: float = 0.0) -> Amount:
    """What the machines' ``energy_j`` takes of the data centre's grid, with its PUE; in the best hours if so wished."""
    if not (math.isfinite(energy_j) and energy_j >= 0.0):
        raise BadInput(f"an energy of {energy_j} J cannot be spent; give a finite one from 0 on")
    supply = deployment.data_centre_grid
    drawn = energy_j * deployment.pue
    if deployment.best_hours and supply.hourly and seconds:
        return Amount(drawn, drawn * supply.best_hours(seconds).kg_per_j)
    return Amount(drawn, drawn * supply.kg_per_j)


def _energy(text: str) -> float | None:
    """Joules of ``37 kWh``; None for a text that does not begin with a number."""
    if not text.strip()[:1].isdigit():
        return None
    return to_si(text, "energy")


def _grid_source(deployment: Deployment) -> str:
    return f"grid of the data centre: {deployment.data_centre_grid.source}"
