"""Running one operator alone: the smallest simulation there is."""

from __future__ import annotations

from dataclasses import dataclass

import simpy

from ...errors import CannotDo
from .execution import Execution
from .machine import Core
from .plan import TilePlan
from .recorder import Log
from .resources import Clock, Path, Resource

__all__ = ["OperatorResult", "check_ended", "simulate_operator"]


@dataclass(frozen=True)
class OperatorResult:
    """One operator on an idle core: cycles, its log, what each resource did, and who waited for what."""

    cycles: float
    log: Log
    resources: tuple[Resource, ...]
    path: Path
    stalls: dict[str, float]
    walked: int


def simulate_operator(plan: TilePlan, *, stepping: bool = True) -> OperatorResult:
    """Simulate one operator with nothing else on the machine."""
    log: Log = []
    clock = Clock(simpy.Environment())
    core = Core(clock, log, plan.accelerator, {})
    execution = Execution(core, plan, plan.op.name, alone=(lambda: True) if stepping else None)
    process = clock.env.process(execution.run({}))
    clock.env.run()
    check_ended(process, [execution])
    return OperatorResult(clock.now, log, core.resources, execution.path, execution.stalls, execution.walked)


def check_ended(process: simpy.Process, executions: list[Execution]) -> None:
    """Raise `CannotDo` where nothing more can happen and the process has not ended: who waits for what."""
    if process.is_alive:
        waiting = "; ".join(wait for execution in executions for wait in execution.waits())
        raise CannotDo(f"deadlock: {waiting or 'nobody says what for'}")
