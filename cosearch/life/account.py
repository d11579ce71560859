"""From an `Estimate` to a `LifeCycle`: what each phase spends, and where that is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ...energy.life import Amount, LifeCycle, Service
from ...energy.quantities import format_si
from ...errors import BadInput, check_type
from .deployment import Deployment
from .made import made_of
from .published import published_accuracy
from .spent import RECIPE, SearchSpent, Spent, search_entries, training_entries, trainings_of
from .spreads import spreads_of

if TYPE_CHECKING:
    from ...mapper.estimate import Estimate
    from ...models.network import Network

__all__ = ["life_cycle"]


def life_cycle(
    estimate: Estimate,
    uses: float = 1e9,
    *,
    network: Network | None = None,
    training: Spent | Mapping[str, Spent | None] | None = RECIPE,
    search: SearchSpent | None = None,
    grid: str | None = None,
    accuracy: float | None = None,
    tau: float = 1.0,
    batch: int = 1,
    name: str | None = None,
    deployment: Deployment | None = None,
    uncertainty: bool = True,
) -> LifeCycle:
    """What the estimated design costs over its whole life if it is used ``uses`` times.

    ``network`` is what is trained, as it is described for one sample (default: the estimate's, unless ``batch`` is
    more than 1). ``training``: "recipe" (the published recipe of a zoo network on an A100, `estimate_training`),
    another recipe's name, a `TrainingEstimate`, an energy at the plug of the machines (J, or a text such as
    "37 kWh"), None (nothing is trained), or a mapping from names ("base", "pruning and retraining") to such.
    ``search``: the energy of the search likewise, or a `SearchCost` (`StudyResult.search_cost`). ``grid`` replaces
    the ``deployment``'s grid of use. ``accuracy`` is a share (default: the published one of the network, where there
    is one), ``tau`` its exponent in G(MUI). ``batch`` is how many uses one run of the estimate serves.
    ``uncertainty`` False leaves out how sure the figures are. Raises `BadInput` for negative uses, an unknown grid or
    recipe, a node outside the fab's tables, a recipe without a ``network`` for one sample.
    """
    from ...mapper.estimate import Estimate

    check_type(estimate, Estimate, "estimate", "make one with estimate(network, accelerator)")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise BadInput(f"batch is {batch}; it must be a whole number of at least 1")
    chosen = Deployment() if deployment is None else deployment
    check_type(chosen, Deployment, "deployment", "make one with Deployment(grid='FRA', devices=100)")
    if grid is not None:
        chosen = replace(chosen, grid=grid)
    if network is None and batch == 1:
        network = estimate.network
    trainings, untrained = trainings_of(network, training)
    trained, training_notes = training_entries(trainings, chosen)
    searched, search_notes = search_entries(search, trained, chosen)
    service, made_notes, made_sources = _service(estimate, batch, chosen)
    known, known_notes = published_accuracy(estimate.network) if accuracy is None else (accuracy, ())
    modelled = [name for name, spent in trainings.items() if not isinstance(spent, float)]
    if chosen.best_hours and (searched or len(modelled) < len(trainings)):
        untrained = (*untrained, "only modelled trainings run in the best hours; what is stated takes the grid's mean")
    notes = (*untrained, *training_notes, *search_notes, *made_notes, *known_notes)
    sources = [one for entry in (*searched, *trained) for one in entry.sources]
    return LifeCycle(
        name or f"{estimate.network.name} on {estimate.accelerator.name}",
        (*searched, *trained),
        service,
        uses,
        known,
        tau,
        spreads_of(estimate, chosen, service.made, modelled) if uncertainty else {},
        tuple(dict.fromkeys(notes)),
        tuple(dict.fromkeys([*estimate.sources(), *sources, *made_sources, f"grid of use: {chosen.use_grid.source}"])),
    )


def _service(estimate: Estimate, batch: int, deployment: Deployment) -> tuple[Service, tuple[str, ...], list[str]]:
    """What serving costs: uses, waiting and the devices."""
    accelerator, intensity = estimate.accelerator, deployment.use_grid.kg_per_j
    states, notes = _waiting_w(estimate, deployment)
    per_use = estimate.energy_j / batch * deployment.use_pue
    waits = {state: watts * deployment.use_pue for state, watts in states.items()}
    footprints, made_notes = made_of(accelerator, deployment, estimate.network)
    service = Service(
        use=Amount(per_use, per_use * intensity),
        latency_s=estimate.latency_s / batch,
        waits={state: Amount(watts, watts * intensity) for state, watts in waits.items()},
        made={part: Amount(one.energy_j, one.co2e_kg) for part, one in footprints.items()},
        devices=deployment.fleet,
        service_s=deployment.service_s,
        lifetime_s=deployment.lifetime_s,
    )
    return service, (*notes, *made_notes), [line for one in footprints.values() for line in one.sources]


def _waiting_w(estimate: Estimate, deployment: Deployment) -> tuple[dict[str, float], list[str]]:
    """Mean watts of a waiting device by state, each weighed with the share of the waiting spent in it; notes."""
    notes, idle_w = [], deployment.idle_power_w
    if idle_w is None:
        idle_w = estimate.accelerator.leakage_w
        notes.append(f"a waiting device takes its leakage, {format_si(idle_w, 'W')}")
    share = deployment.standby_share
    states = {"idle": idle_w * (1.0 - share)}
    if share:
        states["standby"] = deployment.standby_power_w * share
    if math.fsum(states.values()) * estimate.latency_s > estimate.energy_j:
        waits, runs = (format_si(w, "W") for w in (math.fsum(states.values()), estimate.energy_j / estimate.latency_s))
        notes.append(f"a device takes more while it waits ({waits}) than in use ({runs}), so that uses spare energy")
    return states, notes
