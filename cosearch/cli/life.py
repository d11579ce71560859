"""`dovetail life-cycle`: what a network on an accelerator costs over its whole life, in energy and carbon."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from .arguments import checked, proportion
from .estimate import add_pair, load_pair
from .output import Output, check_writable, waiting
from .request import Request
from .show_life import show_lives, sweep

if TYPE_CHECKING:
    from ...accel.accelerator import Accelerator
    from ...energy.life import LifeCycle
    from ...mapper.estimate import Estimate
    from ..life.deployment import Deployment

__all__ = ["add_command"]

PICTURE_SUFFIXES = (".png", ".pdf", ".svg")


def add_command(commands: Any) -> None:
    """Add `life-cycle` to the parser's commands."""
    about = "energy and carbon of a design's whole life: search, training, use, waiting, manufacture"
    life = commands.add_parser("life-cycle", help=about, description=f"Print {about}.")
    add_pair(life)
    _add_life_options(life)
    _add_deployment_options(life)
    shown = life.add_argument_group("what is shown")
    shown.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="ACCEL",
        help="compare with the network on another accelerator: break-even; may be repeated",
    )
    shown.add_argument("--by", choices=("carbon", "energy"), default="carbon", help="what is compared and drawn")
    shown.add_argument("--picture", metavar="FILE", help="draw totals against uses and phases (.png, .pdf, .svg)")
    shown.add_argument("--cite", action="store_true", help="list the sources of every figure")
    Output.add_options(life)
    life.set_defaults(command=_life, parser=life)


def _add_life_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the life")
    group.add_argument(
        "--uses", type=_uses, default=1e9, metavar="N", help="inferences in the whole life, e.g. 1e9 (the default)"
    )
    group.add_argument(
        "--training",
        action="append",
        default=[],
        metavar="WHAT",
        help="a recipe's name (dovetail list recipes), an energy ('37 kWh') or 'none'; NAME=WHAT for several "
        "entries, e.g. base=imagenet_90 and pruning='2 kWh' (default: the network's published recipe)",
    )
    group.add_argument("--search", metavar="ENERGY", help="what finding the design took, e.g. '5 kWh' (default: 0)")
    group.add_argument(
        "--refreshes", type=_amount, default=0.0, metavar="N", help="how often training is repeated (default 0)"
    )
    group.add_argument("--accuracy", type=proportion, metavar="SHARE", help="e.g. 0.72 (default: as published)")
    group.add_argument("--tau", type=_amount, default=1.0, metavar="T", help="exponent of the accuracy (default 1)")


def _add_deployment_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where and how it is used")
    group.add_argument(
        "--grid",
        default="world",
        metavar="G",
        help="electricity of use: a country (FRA, france), a source (wind), '300 g/kWh' or an hourly .csv",
    )
    group.add_argument("--training-grid", metavar="G", help="electricity of search and training (default: as --grid)")
    group.add_argument("--fab-grid", default="taiwan", metavar="G", help="electricity of the fab (default taiwan)")
    group.add_argument(
        "--devices",
        type=_devices,
        default=1.0,
        metavar="N",
        help="devices in service (default 1); 'shared': others use them, too, and only the time in use counts",
    )
    group.add_argument("--years", type=_amount, default=3.0, metavar="Y", help="years of service (default 3)")
    group.add_argument("--lifetime", type=_amount, metavar="Y", help="years a device lasts (default: of service)")
    group.add_argument("--pue", type=_amount, default=1.1, metavar="X", help="of the data centre (default 1.1)")
    group.add_argument("--use-pue", type=_amount, default=1.0, metavar="X", help="of the place of use (default 1)")
    group.add_argument("--idle-power", metavar="POWER", help="of a waiting device (default: the chip's leakage)")
    group.add_argument("--standby", metavar="POWER", help="of a device in standby (default 0)")
    group.add_argument("--standby-share", type=proportion, default=0.0, metavar="S", help="of the waiting (default 0)")
    group.add_argument(
        "--die-yield", type=_yield, default=0.875, metavar="Y", help="a share, poisson, murphy or negative_binomial"
    )
    group.add_argument(
        "--abatement", type=proportion, default=0.95, metavar="S", help="of the fab's gases: 95%%, 97%%, 99%%"
    )
    group.add_argument(
        "--die",
        metavar="MASS",
        help="footprint of a die, e.g. '0.5 kg' (default: by area and node); of --against, where no fab is known",
    )
    group.add_argument("--dram", metavar="SIZE", help="each memory off the chip whose size the spec leaves open")
    group.add_argument("--storage", metavar="KIND=SIZE", help="flash or disk of a device, e.g. nand_tlc_v3='32 GB'")
    group.add_argument("--best-hours", action="store_true", help="train in the cleanest hours of an hourly grid")


@checked
def _uses(text: str) -> float:
    """A number of uses from 0 on; how many there may be, the life cycle says."""
    value = _amount(text)
    if value < 0.0:
        raise BadInput(f"'{text}' uses are impossible; write a number from 0 on, such as 1e9")
    return value


@checked
def _amount(text: str) -> float:
    """A finite number; what it may be, the deployment says."""
    value = _number(text)
    if not math.isfinite(value):
        raise BadInput(f"'{text}' is not a finite number")
    return value


def _devices(text: str) -> float | str:
    from ..life.deployment import SHARED

    return SHARED if text.strip().lower() == SHARED else _amount(text)


def _yield(text: str) -> float | str:
    return text.strip() if text.strip()[:1].isalpha() else proportion(text)


def _number(text: str) -> float:
    try:
        return float(text.replace("_", ""))
    except ValueError as error:
        raise BadInput(f"'{text}' is not a number; write e.g. 1e6") from error


def _deployment(args: argparse.Namespace) -> Deployment:
    from ..life.deployment import Deployment

    storage = None
    if args.storage is not None:
        kind, equals, size = (part.strip() for part in args.storage.partition("="))
        if not equals:
            raise BadInput(f"--storage {args.storage}: write KIND=SIZE, for example nand_tlc_v3='32 GB'")
        storage = (kind, size)
    return Deployment(
        devices=args.devices,
        years=args.years,
        lifetime_years=args.lifetime,
        grid=args.grid,
        training_grid=args.training_grid,
        fab_grid=args.fab_grid,
        pue=args.pue,
        use_pue=args.use_pue,
        idle_power=args.idle_power,
        standby_power="0 W" if args.standby is None else args.standby,
        standby_share=args.standby_share,
        die_yield=args.die_yield,
        abatement=args.abatement,
        refreshes=args.refreshes,
        die=args.die,
        dram=args.dram,
        storage=storage,
        best_hours=args.best_hours,
    )


def _of(chip: Accelerator, deployment: Deployment) -> Deployment:
    """Of a design compared with: a stated die is that of the first design and of those without a known fab."""
    from ...energy.carbon.embodied import FAB_NODES_NM

    known = FAB_NODES_NM[0] <= chip.technology_nm <= FAB_NODES_NM[1]
    return replace(deployment, die=None) if known else deployment


def _training(given: Sequence[str]) -> Any:
    """What ``--training`` says, as `life_cycle` takes it."""
    from ..life.spent import RECIPE

    if not given:
        return RECIPE
    if given == ["none"]:
        return None
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    named: dict[str, str] = {}
    for text in given:
        name, equals, what = (part.strip() for part in text.partition("="))
        if not equals or not name or not what:
            raise BadInput(f"--training {text}: write NAME=WHAT, such as base=imagenet_90, for each of several entries")
        if name in named:
            raise BadInput(f"--training {text}: '{name}' is there twice; keep one")
        named[name] = what
    return named


def _life(args: argparse.Namespace) -> None:
    output = Output.of(args)
    if args.picture is not None:
        _check_picture(args)
    deployment, training = _deployment(args), _training(args.training)
    network, accelerator = load_pair(args)
    one = load_pair(argparse.Namespace(**{**vars(args), "batch": 1}))[0] if args.batch > 1 else network
    from ...accel.spec import load_accelerator

    chips = [accelerator, *(load_accelerator(name) for name in args.against)]
    from ...mapper.estimate import estimate
    from ..life.account import life_cycle

    request = Request.of(args)
    lives: list[LifeCycle] = []
    for chip in chips:
        with waiting(f"mapping {network.name} on {chip.name}"):
            result = estimate(
                network, chip, request.mapper, request.objective, constraints=request.constraints, limits=request.limits
            )
        with waiting(f"costing the life of {network.name} on {chip.name}"):
            lives.append(
                life_cycle(
                    result,
                    args.uses,
                    network=one,
                    training=training,
                    search=args.search,
                    accuracy=args.accuracy,
                    tau=args.tau,
                    batch=args.batch,
                    name=_name(result, lives),
                    deployment=_of(chip, deployment) if lives else deployment,
                )
            )
    quantity = "co2e_kg" if args.by == "carbon" else "energy_j"
    evens = [lives[0].break_even(other, quantity) for other in lives[1:]]
    if args.picture is not None:
        from ..life.figures import plot_life

        plot_life(lives, args.picture, quantity)
    data = _data(lives[0], args)
    if evens:
        data["against"] = [_data(other, args) for other in lives[1:]]
        data["break_even"] = [
            {"quantity": even.quantity, "uses": list(even.crossings), "better": list(even.better)} for even in evens
        ]
    output.emit(data, _rows(lives), lambda to: show_lives(to, args, lives, evens))


def _name(result: Estimate, others: Sequence[LifeCycle]) -> str:
    """The design's name; another one where it is compared with its like."""
    name = f"{result.network.name} on {result.accelerator.name}"
    same = sum(1 for other in others if other.name == name or other.name.startswith(f"{name} ("))
    return f"{name} ({same + 1})" if same else name


def _check_picture(args: argparse.Namespace) -> None:
    path = Path(args.picture)
    if args.picture in (args.json, args.csv):
        raise BadInput(f"--picture {path}: figures are written to the same file; name another one")
    check_writable("--picture", path)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise BadInput(f"--picture {path}: pictures are {', '.join(PICTURE_SUFFIXES)}; name such a file")


def _data(life: LifeCycle, args: argparse.Namespace) -> dict[str, Any]:
    from ...energy.life.cycle import MUI_PHASES

    known = life.accuracy is not None and life.line("energy_j", MUI_PHASES).at(life.uses) > 0
    return {
        "name": life.name,
        "uses": life.uses,
        "devices": life.service.fleet(life.uses),
        "grid": args.grid,
        "phases": dict(life.phases),
        "total": {"energy_j": life.total.energy_j, "co2e_kg": life.total.co2e_kg},
        "total_sd": {"energy_j": life.sd("energy_j"), "co2e_kg": life.sd("co2e_kg")},
        "accuracy": life.accuracy,
        "tau": life.tau,
        "g_mui": life.g_mui() if known else None,
        "delay_metrics": life.delay_metrics().as_dict(),
        "sweep": [
            {"uses": uses, "energy_j": life.line("energy_j").at(uses), "co2e_kg": life.line("co2e_kg").at(uses)}
            for uses in sweep(life.uses)
        ],
        "notes": list(life.notes),
        "sources": list(life.sources),
    }


def _rows(lives: Sequence[LifeCycle]) -> list[dict[str, Any]]:
    """A row per part of each phase."""
    return [
        {"design": life.name, "phase": name, "part": part, "energy_j": amount.energy_j, "co2e_kg": amount.co2e_kg}
        for life in lives
        for name, phase in life.phases.items()
        for part, amount in phase.parts.items()
    ]
