"""The mapping's dataflow as a choice: left to the mapper, or held to a stationarity or to constraints in a file."""

from __future__ import annotations

from collections.abc import Sequence

from ...accel.accelerator import Accelerator
from ...errors import BadInput, UnknownName
from ...mapper.constraint_file import list_constraints, load_constraints
from ...mapper.constraints import Constraints, LevelConstraint
from ...models.op import ROLES, Role
from .space import Choice, Value

__all__ = ["DATAFLOW", "FREE", "dataflow_choice", "dataflow_constraints"]

DATAFLOW = "hw.dataflow"
FREE = "free"
_STATIONARY: dict[str, Role] = {f"{role}_stationary": role for role in ROLES}


def dataflow_choice(options: Sequence[str], accelerator: Accelerator) -> Choice:
    """``hw.dataflow`` with these options, each of which must suit the accelerator; raises as `dataflow_constraints`."""
    if any(parameter.name == "dataflow" for parameter in accelerator.parameters):
        raise BadInput(f"{DATAFLOW}: {accelerator.name} has a parameter of this name; rename that in its spec")
    for option in options:
        dataflow_constraints(option, accelerator)
    return Choice(DATAFLOW, tuple(options))


def dataflow_constraints(option: Value, accelerator: Accelerator) -> Constraints | None:
    """What an option rules out of every mapspace; None for ``free``.

    ``weight_stationary``, ``input_stationary`` and ``output_stationary`` let, in every memory but the innermost, all
    loops over the tensor's own dimensions stand outside the others, so that what is held further in is used to the end
    before it is replaced (Chen et al., ISCA 2016; rows need an array of their own, see the shipped constraints). Any
    other option is a shipped file of constraints or a path. Raises `UnknownName`, and `SpecError` for constraints that
    contradict the accelerator.
    """
    if option == FREE:
        return None
    if option in _STATIONARY:
        rule = LevelConstraint(stationary=_STATIONARY[str(option)])
        return Constraints({memory.name: rule for memory in accelerator.memories[:-1]})
    name = str(option)
    if not name.endswith((".yaml", ".yml")) and name not in list_constraints():
        raise UnknownName("dataflow", name, (FREE, *_STATIONARY, *list_constraints()))
    constraints = load_constraints(name)
    constraints.check(accelerator)
    return constraints

