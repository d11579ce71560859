"""`dovetail estimate`: what a network costs on an accelerator."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from . import zeros
from .arguments import positive
from .output import Column, Output, facts, peak_text, table, waiting
from .patched import load_patched
from .request import Request
from .show_sources import read_samples, show_citations, show_uncertainty

if TYPE_CHECKING:
    from rich.console import Console

    from ...accel.accelerator import Accelerator
    from ...mapper.estimate import Estimate
    from ...models.network import Network

__all__ = ["add_command", "add_pair", "excess_text", "load_pair", "parse_settings", "show_breakdown", "show_layers"]

SHOWN_LAYERS = 12
BAR_CELLS = 24
EXAMPLES = {"--set": "pes_x=8", "--option": "width=0.75"}


def add_command(commands: Any) -> None:
    """Add `estimate` to the parser's commands."""
    about = "latency, energy and area of a network on an accelerator"
    estimate = commands.add_parser("estimate", help=about, description=f"Print the {about}.")
    add_pair(estimate)
    estimate.add_argument("--layers", action="store_true", help=f"show every layer, not the {SHOWN_LAYERS} costliest")
    estimate.add_argument(
        "--cite", action="store_true", help="list every constant used: figure, source, validity, uncertainty"
    )
    estimate.add_argument(
        "--uncertainty",
        type=read_samples,
        metavar="N",
        help="how uncertain energy and area are, from N samples of the constants (0: to first order)",
    )
    Output.add_options(estimate)
    estimate.set_defaults(command=_estimate, parser=estimate)


def add_pair(parser: argparse.ArgumentParser) -> None:
    """Add what names a network, an accelerator and how they are mapped."""
    parser.add_argument(
        "network", metavar="NETWORK", help="a zoo name (dovetail list networks), a .yaml or an .onnx file"
    )
    parser.add_argument(
        "accelerator", metavar="ACCEL", help="a shipped name (dovetail list accelerators) or a .yaml file"
    )
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="inputs per run (default 1)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="change a parameter of the accelerator, e.g. --set pes_x=8 --set bandwidth='20 GB/s'; may be repeated",
    )
    parser.add_argument(
        "--patch",
        action="append",
        default=[],
        metavar="PATCH",
        dest="patches",
        help="change levels and parameters of the accelerator, 'pes?x=8&y=8', or choices of a network space, "
        "'stage3.block*?op=fused'; may be repeated",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="options",
        help="an option of a zoo network, e.g. --option width=0.75; may be repeated",
    )
    parser.add_argument(
        "--bits", type=positive, metavar="N", help="width of every word (default: what the network states)"
    )
    parser.add_argument("--zeros", action="append", default=[], metavar="TENSOR=SHARE", help=zeros.HELP)
    parser.add_argument(
        "--allow-unsupported",
        action="store_true",
        help="go on without the operators of an ONNX file that cannot be modelled",
    )
    Request.add_options(parser)


def parse_settings(flag: str, settings: Sequence[str]) -> dict[str, int | float | str]:
    """``["pes_x=8", "bandwidth=20 GB/s"]``, given with ``flag``, as keyword arguments; raises `BadInput`."""
    values: dict[str, int | float | str] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not name or not text:
            raise BadInput(f"{flag} {setting}: write NAME=VALUE, for example {flag} {EXAMPLES[flag]}")
        if name in values:
            raise BadInput(f"{flag} {setting}: '{name}' is set twice; keep one")
        values[name] = _number_or_text(text)
    return values


def _number_or_text(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def load_pair(args: argparse.Namespace) -> tuple[Network, Accelerator]:
    """The network and the accelerator a command names; raises `BadInput`."""
    from ...accel.spec import load_accelerator
    from ...document import shipped
    from ...models.zoo import ZOO

    if args.network in shipped("accelerators") and args.network not in ZOO:
        raise BadInput(f"'{args.network}' is an accelerator; the network comes first, then the accelerator")
    unpatched, accelerator = load_patched(args, load_accelerator(args.accelerator))
    network = zeros.with_zeros_everywhere(unpatched or _load_network(args), args.zeros)
    settings = parse_settings("--set", args.settings)
    return network, accelerator.with_parameters(**settings) if settings else accelerator


def _load_network(args: argparse.Namespace) -> Network:
    from ...models.load import load_network

    if args.allow_unsupported:
        return _load_what_is_supported(args)
    options: dict[str, Any] = dict(parse_settings("--option", args.options))
    return load_network(args.network, batch=args.batch, bits=args.bits, **options)


def _load_what_is_supported(args: argparse.Namespace) -> Network:
    from ...models.from_onnx import from_onnx
    from ...models.transforms import with_batch

    if not args.network.lower().endswith(".onnx"):
        raise BadInput(f"--allow-unsupported is for .onnx files, '{args.network}' is none; remove it")
    return with_batch(from_onnx(args.network, bits=args.bits or 8, allow_unsupported=True), args.batch)


def _estimate(args: argparse.Namespace) -> None:
    output = Output.of(args)
    network, accelerator = load_pair(args)
    # Imported after the checks: wrong input is answered without loading the compiler.
    from ...mapper.estimate import estimate

    request = Request.of(args)
    with waiting(f"mapping {network.name} on {accelerator.name}"):
        result = estimate(
            network,
            accelerator,
            request.mapper,
            request.objective,
            constraints=request.constraints,
            limits=request.limits,
        )
    uncertainty = None if args.uncertainty is None else result.uncertainty(args.uncertainty)
    rows = result.rows()
    data = {
        "network": network.name,
        "accelerator": accelerator.name,
        "batch": args.batch,
        **request.facts,
        "parameters": dict(accelerator.values),
        "latency_s": result.latency_s,
        "energy_j": result.energy_j,
        "area_mm2": result.area_mm2,
        "cycles": result.cycles,
        "utilization": result.utilization,
        "edp": result.edp,
        "breakdown": result.breakdown(),
        "overhead_s": result.overhead_s,
        "residency": _residency(result),
        "proven_layers": result.proven_layers,
        "layers": rows,
        "sources": list(result.sources()),
        "constants": list(result.citations()),
        **({} if uncertainty is None else {"uncertainty": uncertainty}),
        "notes": list(result.notes),
    }

    def show(to: Console) -> None:
        _show_estimate(to, args, network, accelerator, result, rows)
        if uncertainty is not None:
            show_uncertainty(to, uncertainty)
        if args.cite:
            show_citations(to, result)

    output.emit(data, rows, show)


def _show_estimate(
    to: Console,
    args: argparse.Namespace,
    network: Network,
    accelerator: Accelerator,
    result: Estimate,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    from ...energy.quantities import format_si

    show_layers(to, rows, None if args.layers else SHOWN_LAYERS)
    show_breakdown(to, result.breakdown())
    batch = f", batch {args.batch}" if args.batch > 1 else ""
    within = f" within {args.constraints}" if args.constraints else ""
    to.print(f"{network.name} on {accelerator.name}{batch}", style="bold")
    per_second = args.batch / result.latency_s
    per_mac = format_si(result.energy_j / (network.macs or 1), "J")
    per_work = f"{format_si(result.energy_j / args.batch, 'J')} per input, {per_mac} per MAC"
    facts(
        to,
        [
            ("latency", format_si(result.latency_s, "s"), f"{result.cycles:,.0f} cycles; {per_second:,.1f} inputs/s"),
            (
                "energy",
                format_si(result.energy_j, "J"),
                per_work,
            ),
            ("energy x delay", format_si(result.edp, "Js"), f"mappings chosen for least {args.objective}{within}"),
            (
                "area",
                f"{result.area_mm2:,.2f} mm2",
                f"{accelerator.technology_nm:g} nm, without memory outside the chip",
            ),
            ("utilization", f"{result.utilization:.1%}", f"of {peak_text(accelerator.peak_ops_per_s)}"),
            *_skipped(result),
            *_waiting(result),
            *_on_chip(result),
            _proof(result),
        ],
    )
    for note in result.notes:
        to.print(f"note: {note}", style="dim")


def _residency(result: Estimate) -> dict[str, float] | None:
    """What stays on the chip; None where the accelerator lets nothing stay."""
    plan = result.schedule.plan
    if plan is None:
        return None
    return {
        "resident_share": plan.resident_share,
        "cached_bits": plan.cached_bits,
        "streamed_bits": plan.streamed_bits,
    }


def _skipped(result: Estimate) -> list[tuple[str, str, str]]:
    """How much of the work zeros save, where they do."""
    whole = sum(cost.macs for cost in result.costs)
    taken = sum(cost.effectual_macs for cost in result.costs)
    if taken >= whole:
        return []
    return [("zeros", f"{1.0 - taken / whole:.1%}", "of the multiply-accumulates are in steps that are skipped")]


def _waiting(result: Estimate) -> list[tuple[str, str, str]]:
    """The part of the latency that no operator accounts for, if there is one."""
    from ...energy.quantities import format_si

    if not result.overhead_s:
        return []
    remark = f"of the latency: the call, and {result.started_layers} operators to start"
    return [("overhead", format_si(result.overhead_s, "s"), remark)]


def _on_chip(result: Estimate) -> list[tuple[str, str, str]]:
    """What stays on the chip between operators and from run to run."""
    from ...energy.quantities import format_si

    plan = result.schedule.plan
    if plan is None:
        return []
    cached, streamed = (format_si(bits / 8, "B") for bits in (plan.cached_bits, plan.streamed_bits))
    weights = f"weights: {cached} cached, {streamed} streamed a run"
    return [("kept on chip", f"{plan.resident_share:.0%}", f"of activations; {weights}")]


def _proof(result: Estimate) -> tuple[str, str, str]:
    """How many mappings are proven optimal, and how far the others are from it at the most."""
    proofs = [one for one in result.certificates if one is not None]
    least, found = (sum(getattr(one, name) for one in proofs) for name in ("lower_bound", "optimum"))
    figure, remark = f"{result.proven_layers} of {len(proofs)}", "layers, whose mappings no other beats"
    if result.proven_layers < len(proofs):
        beyond = f"; in sum at most {excess_text(found, least)} the optimum" if least else ""
        remark = f"layers{beyond}"
    return "proven optimal", figure, remark


def excess_text(found: float, least: float) -> str:
    """How far ``found`` may be above an optimum that is ``least`` or more: ``2.3% above``, ``5.1 times``."""
    times = found / least
    if times < 2.0:
        return f"{times - 1.0:.1%} above"
    return f"{times:.1f} times" if times < 100.0 else f"{times:,.0f} times"


def show_layers(to: Console, rows: Sequence[Mapping[str, Any]], limit: int | None) -> None:
    """A row per layer in network order; with a ``limit``, only the layers that cost most energy or time."""
    from ...energy.quantities import format_si

    energy, latency = sum(row["energy_j"] for row in rows), sum(row["latency_s"] for row in rows)
    shares = [max(row["energy_j"] / (energy or 1), row["latency_s"] / (latency or 1)) for row in rows]
    chosen = sorted(sorted(range(len(rows)), key=lambda index: -shares[index])[:limit])
    columns = (
        Column("layer"),
        Column("kind", style="dim", least_width=110),
        Column("MACs", right=True, least_width=90),
        Column("cycles", right=True, least_width=100),
        Column("latency", right=True),
        Column("energy", right=True),
        Column("share", right=True, least_width=70),
        Column("util.", right=True, least_width=80),
        Column("bound by"),
    )
    table(
        to,
        columns,
        [
            (
                row["name"],
                row["kind"],
                _millions(row["macs"]),
                f"{row['cycles']:,.0f}",
                format_si(row["latency_s"], "s"),
                format_si(row["energy_j"], "J"),
                f"{row['energy_j'] / (energy or 1):.1%}",
                f"{row['utilization']:.0%}" if row["macs"] else "",
                row["bound"],
            )
            for row in (rows[index] for index in chosen)
        ],
        title="Layers"
        if len(chosen) == len(rows)
        else f"The {len(chosen)} costliest of {len(rows)} layers (--layers: all)",
    )


def _millions(count: int) -> str:
    return f"{count / 1e6:,.1f} M" if count else ""


def show_breakdown(to: Console, breakdown: Mapping[str, float]) -> None:
    """Energy by component, largest first, with a bar for its share."""
    from ...energy.quantities import format_si

    block = "█" if to.encoding.startswith("utf") else "#"
    total = sum(breakdown.values()) or 1.0
    parts = sorted(((name, joules) for name, joules in breakdown.items() if joules > 0), key=lambda part: -part[1])
    table(
        to,
        (Column("component"), Column("energy", right=True), Column("share", right=True), Column("", style="cyan")),
        [
            (name, format_si(joules, "J"), f"{joules / total:.1%}", block * round(BAR_CELLS * joules / parts[0][1]))
            for name, joules in parts
        ],
        title="Energy by component",
    )
