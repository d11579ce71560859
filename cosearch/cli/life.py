"""`dovetail life-cycle`: what a network on an accelerator costs over its whole life, in energy and carbon."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...energy.quantities import format_mass, format_si
from ...errors import BadInput
from .arguments import checked, proportion
from .estimate import add_pair, load_pair
from .output import Column, Output, check_writable, table, waiting
from .request import Request

if TYPE_CHECKING:
    from rich.console import Console

    from ...energy.life import BreakEven, LifeCycle
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
    shown.add_argument("--against", metavar="ACCEL", help="compare with the network on another accelerator: break-even")
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
    group.add_argument("--die", metavar="MASS", help="footprint of a die whose fab is not in the tables, e.g. '0.5 kg'")
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
        refreshes=args.refreshes,
        die=args.die,
        dram=args.dram,
        storage=storage,
        best_hours=args.best_hours,
    )


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
    chips = [accelerator]
    if args.against is not None:
        from ...accel.spec import load_accelerator

        chips.append(load_accelerator(args.against))
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
                    deployment=deployment,
                )
            )
    quantity = "co2e_kg" if args.by == "carbon" else "energy_j"
    even = lives[0].break_even(lives[1], quantity) if len(lives) > 1 else None
    if args.picture is not None:
        from ..life.figures import plot_life

        plot_life(lives, args.picture, quantity)
    data = _data(lives[0], args)
    if even is not None:
        data["against"] = _data(lives[1], args)
        data["break_even"] = {"quantity": even.quantity, "uses": list(even.crossings), "better": list(even.better)}
    output.emit(data, _rows(lives), lambda to: _show(to, args, lives, even))


def _name(result: Estimate, others: Sequence[LifeCycle]) -> str:
    """The design's name; another one where it is compared with its like."""
    name = f"{result.network.name} on {result.accelerator.name}"
    return f"{name} (as shipped)" if any(other.name == name for other in others) else name


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
            for uses in _sweep(life.uses)
        ],
        "notes": list(life.notes),
        "sources": list(life.sources),
    }


def _sweep(uses: float) -> list[float]:
    """Powers of ten from a thousand to a milliard, or to beyond the uses."""
    last = max(9, math.ceil(math.log10(uses)) if uses else 0)
    return [10.0**power for power in range(3, last + 1)]


def _rows(lives: Sequence[LifeCycle]) -> list[dict[str, Any]]:
    """A row per part of each phase."""
    return [
        {"design": life.name, "phase": name, "part": part, "energy_j": amount.energy_j, "co2e_kg": amount.co2e_kg}
        for life in lives
        for name, phase in life.phases.items()
        for part, amount in phase.parts.items()
    ]


def _show(to: Console, args: argparse.Namespace, lives: Sequence[LifeCycle], even: BreakEven | None) -> None:
    for life in lives:
        _show_phases(to, life)
    _show_sweep(to, lives, "co2e_kg" if args.by == "carbon" else "energy_j")
    if even is not None:
        to.print(f"By {args.by}: {even}.", style="bold")
    for note in dict.fromkeys(note for life in lives for note in life.notes):
        to.print(f"note: {note}", style="dim")
    if args.picture is not None:
        to.print(f"picture: {args.picture}")
    if args.cite:
        to.print("\nSources", style="bold")
        for source in dict.fromkeys(source for life in lives for source in life.sources):
            to.print(f"  {source}")


def _show_phases(to: Console, life: LifeCycle) -> None:
    whole = life.total
    rows: list[tuple[str, ...]] = []
    block = "█" if to.encoding.startswith("utf") else "#"
    for name, phase in life.phases.items():
        share = phase.co2e_kg / whole.co2e_kg if whole.co2e_kg else 0.0
        rows.append((name, kwh(phase.energy_j), format_mass(phase.co2e_kg), f"{share:.1%}", block * round(24 * share)))
        if len(phase.parts) > 1:
            parts = phase.parts.items()
            rows += [(f"  {part}", kwh(one.energy_j), format_mass(one.co2e_kg), "", "") for part, one in parts]
    rows.append(("total", kwh(whole.energy_j), format_mass(whole.co2e_kg), "", ""))
    if life.spreads:
        rows.append(("  give or take", kwh(life.sd("energy_j")), format_mass(life.sd("co2e_kg")), "", ""))
    columns = (Column("phase"), Column("energy", right=True), Column("carbon", right=True), Column("share", right=True),
               Column("", style="cyan", least_width=70))  # fmt: skip
    fleet = life.service.fleet(life.uses)
    devices = "1 device" if fleet == 1 else f"{fleet:,.4g} devices"
    title = f"{life.name}: {life.uses:,.4g} uses on {devices} (modelled)"
    table(to, columns, rows, title=title)


def _show_sweep(to: Console, lives: Sequence[LifeCycle], quantity: str) -> None:
    """Totals and G(MUI) as uses grow."""
    told = format_mass if quantity == "co2e_kg" else kwh
    columns = [Column("uses", right=True)]
    for life in lives:
        columns += [Column(life.name if len(lives) > 1 else "total", right=True), Column("per use", right=True)]
        if life.accuracy is not None:
            columns.append(Column(f"G (tau {life.tau:g})", right=True, least_width=80))
    rows = []
    for uses in _sweep(lives[0].uses):
        row = [f"{uses:,.0f}"]
        for life in lives:
            value = life.line(quantity).at(uses)
            row += [told(value), told(value / uses)]
            row += [f"{life.at(uses).g_mui():.3g} /J"] if life.accuracy is not None else []
        rows.append(row)
    table(to, columns, rows, title="As it is used more often")


def kwh(energy_j: float) -> str:
    """Electricity for people: kWh from 1 Wh on, else joules."""
    return format_si(energy_j / 3600.0, "Wh") if energy_j >= 3600.0 else format_si(energy_j, "J")
