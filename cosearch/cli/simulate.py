"""`dovetail simulate`: a network runs on an accelerator event by event, once or as requests arrive."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from . import serving
from .arguments import checked, mean_and_spread, positive, time, whole
from .estimate import add_pair, load_pair
from .output import STDOUT, Output, check_writable, progress_bar, waiting
from .request import Request
from .show_served import show_served
from .show_timeline import SHOWN_LAYERS, show_timeline

if TYPE_CHECKING:
    from ...accel.accelerator import Accelerator
    from ...accel.simulator.served import Served
    from ...accel.simulator.timeline import Timeline
    from ...mapper.estimate import Schedule
    from ...models.network import Network

__all__ = ["add_command"]

POLICIES = ("sequence", "branches", "pipeline")
ARBITRATIONS = ("fifo", "round_robin", "priority")


def add_command(commands: Any) -> None:
    """Add `simulate` to the parser's commands."""
    one = commands.add_parser(
        "simulate",
        usage="%(prog)s NETWORK ACCEL [options]",
        help="what happens when: stalls, contention, several cores, requests that queue",
        description="Run a network on an accelerator event by event; say when each layer runs, what it waits for and "
        "which resource the time hangs on. With --arrivals, serve requests.",
    )
    add_pair(one)
    _add_run_options(one)
    serving.add_options(one)
    one.add_argument("--layers", action="store_true", help=f"show every layer, not the {SHOWN_LAYERS} that matter most")
    pictures = one.add_argument_group("pictures of the run")
    pictures.add_argument(
        "--trace", metavar="FILE", help="write a trace that ui.perfetto.dev and chrome://tracing open"
    )
    pictures.add_argument("--gantt", metavar="FILE", help="draw the timeline as .png, .pdf or .svg")
    Output.add_options(one)
    one.set_defaults(command=_simulate, parser=one)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it runs")
    group.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NETWORK",
        help="another network that runs at the same time; may be repeated",
    )
    group.add_argument("--runs", type=positive, metavar="N", help="runs one after another (default 1)")
    group.add_argument("--cores", type=positive, metavar="N", help="compute cores (default 1)")
    group.add_argument(
        "--policy",
        choices=POLICIES,
        help="one core, layer after layer (sequence), any layer that is ready on any core (branches, default of "
        "several cores), or to each core its stretch of the network (pipeline)",
    )
    group.add_argument("--prefetch", action="store_true", help="fetch the next layer's weights during the present one")
    group.add_argument(
        "--arbitration",
        choices=ARBITRATIONS,
        help="whom a resource that cores share serves next (default fifo)",
    )
    group.add_argument("--until", type=time, metavar="TIME", help="stop at this moment, e.g. '5 ms'")
    group.add_argument("--seed", type=whole, default=0, metavar="S", help="seed of all that is drawn (default 0)")
    group.add_argument(
        "--density",
        type=checked(_density),
        metavar="drawn|MEAN[:SPREAD]",
        help="on an array that skips zeros: 'drawn' draws each tile's from the network's own densities; a number is "
        "the share of words that are not zero, whatever the network says, e.g. 0.4:0.1",
    )
    group.add_argument("--no-stepping", action="store_true", help="walk every step; the result is the same, later")


def _density(text: str) -> Any:
    from ...accel.simulator.workload import Density

    if text == "drawn":
        return text
    return Density(*mean_and_spread(text))


@dataclass(frozen=True)
class Pictures:
    """The files a user wants drawn, checked before any work is done."""

    trace: Path | None = None
    gantt: Path | None = None

    @classmethod
    def of(cls, args: argparse.Namespace) -> Pictures:
        """The parsed options; raises `BadInput` for what cannot be written and for a file named twice."""
        found = {
            name: None if getattr(args, name) is None else Path(getattr(args, name)) for name in ("trace", "gantt")
        }
        for name, path in found.items():
            if path is not None:
                _check_replaceable(f"--{name}", path)
        if found["gantt"] is not None:
            _check_picture(found["gantt"])
        files = {f"--{name}": getattr(args, name) for name in ("json", "csv", "trace", "gantt")}
        seen: dict[str, str] = {}
        for option, name in files.items():
            if name is not None and name != STDOUT:
                other = seen.setdefault(os.path.realpath(name), option)
                if other != option:
                    raise BadInput(f"{other} and {option} both write {name}; give each a file of its own")
        return cls(found["trace"], found["gantt"])

    def draw(self, timeline: Timeline) -> tuple[list[tuple[str, str, str]], BadInput | None]:
        """Write them: a line (name, figure, remark) on each, and what failed, which must not cost the answer."""
        drawn = []
        try:
            if self.trace is not None:
                written = timeline.to_chrome_trace(self.trace)
                left_out = f"; {written.note}" if written.note else ""
                said = f"slices on {written.tracks} tracks in {self.trace}{left_out}"
                drawn.append(("trace", f"{written.slices:,}", said))
            if self.gantt is not None:
                timeline.gantt(self.gantt)
                drawn.append(("picture", "", str(self.gantt)))
        except BadInput as error:
            return drawn, error
        return drawn, None


def _check_replaceable(option: str, path: Path) -> None:
    """Raise `BadInput` where a draft beside ``path`` could not take its place."""
    if str(path) == STDOUT:
        raise BadInput(f"{option} {path}: it goes to a file only; name one")
    check_writable(option, path)
    if path.exists() and not path.is_file():
        raise BadInput(f"{option} {path}: this is no ordinary file; name another")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"{option} {path}: the folder '{path.parent}' may not be written; choose another")


def _check_picture(path: Path) -> None:
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    kind = path.suffix.removeprefix(".").lower()
    if kind not in known:
        what = f"there is no kind of picture '{kind}'" if kind else "the name says no kind of picture"
        raise BadInput(f"--gantt {path}: {what}; end it in .png, .pdf or .svg")


def _simulate(args: argparse.Namespace) -> None:
    output, pictures, demand = Output.of(args), Pictures.of(args), serving.Demand.of(args)
    how = _how(args) if demand is None else {}
    network, accelerator = load_pair(args)
    networks = (network, *_others(args))
    request = Request.of(args)
    served = demand.options(networks, accelerator) if demand is not None else {}
    common = {"prefetch": args.prefetch, "until_s": args.until, "seed": args.seed}
    common |= {} if args.density is None else {"density": args.density}
    asked = {
        "network": network.name,
        "networks": [one.name for one in networks],
        "accelerator": accelerator.name,
        "batch": args.batch,
        **request.facts,
        "parameters": dict(accelerator.values),
        **common,
    }
    if demand is not None:
        _serve(output, demand, networks, accelerator, request, served | common, asked)
        return
    timeline = _timeline(networks, accelerator, request, how | common)
    drawn, failure = pictures.draw(timeline)
    data = {**asked, **how, **timeline.figures()}
    inputs, limit = args.batch * how["runs"] * len(networks), None if args.layers else SHOWN_LAYERS
    output.emit(data, timeline.rows(), lambda to: show_timeline(to, timeline, inputs, limit, drawn))
    if failure is not None:
        raise failure


def _how(args: argparse.Namespace) -> dict[str, Any]:
    """The options of a run, as `simulate` calls them; raises `BadInput`."""
    cores = args.cores or 1
    if args.policy == "pipeline" and cores == 1:
        raise BadInput("--policy pipeline spreads the layers over several cores; give --cores 2 or more")
    if args.policy == "sequence" and cores > 1:
        raise BadInput(
            f"--policy sequence uses one core of {cores}; choose --policy branches or pipeline or leave --cores out"
        )
    how = {"runs": args.runs or 1, "cores": cores, "policy": args.policy or ("branches" if cores > 1 else "sequence")}
    how |= {"stepping": not args.no_stepping}
    return how | ({} if args.arbitration is None else {"arbitration": args.arbitration})


def _others(args: argparse.Namespace) -> list[Network]:
    """The networks of ``--also``; raises `BadInput`."""
    from ...document import shipped
    from ...models.load import load_network

    for name in args.also:
        if name in shipped("accelerators"):
            raise BadInput(f"--also {name}: '{name}' is an accelerator; name a network that runs at the same time")
    return [load_network(name, batch=args.batch, bits=args.bits) for name in args.also]


def _named(networks: Sequence[Network], accelerator: Accelerator) -> str:
    return f"{' + '.join(network.name for network in networks)} on {accelerator.name}"


def _schedules(networks: Sequence[Network], accelerator: Accelerator, request: Request) -> list[Schedule]:
    """How each network is mapped."""
    # Imported after the checks: wrong input is answered without loading the compiler.
    from ...mapper.estimate import estimate

    schedules = []
    for network in networks:
        with waiting(f"mapping {network.name} on {accelerator.name}"):
            found = estimate(
                network,
                accelerator,
                request.mapper,
                request.objective,
                constraints=request.constraints,
                limits=request.limits,
            )
        schedules.append(found.schedule)
    return schedules


def _timeline(networks: Sequence[Network], accelerator: Accelerator, request: Request, how: dict[str, Any]) -> Timeline:
    from ...mapper.simulation import simulate

    schedules = _schedules(networks, accelerator, request)
    with progress_bar(f"simulating {_named(networks, accelerator)}") as progress:
        return simulate(networks, accelerator, schedules, progress=progress, **how)


def _serve(
    output: Output,
    demand: serving.Demand,
    networks: Sequence[Network],
    accelerator: Accelerator,
    request: Request,
    how: dict[str, Any],
    asked: dict[str, Any],
) -> None:
    from ...mapper.serving import serve

    schedules = _schedules(networks, accelerator, request)
    with progress_bar(f"serving {_named(networks, accelerator)}") as progress:
        served = serve(networks, accelerator, demand.arrivals, schedules, progress=progress, **how)
    data = {**asked, **demand.facts, **served.summary(), "by_network": served.rows()}
    title = f"{_named(networks, accelerator)}, {demand.said}"
    output.emit(data, _request_rows(served), lambda to: show_served(to, served, title))


def _request_rows(served: Served) -> Iterator[dict[str, Any]]:
    """A record per request; made only if it is asked for, as there may be many."""
    for row in served.requests().to_dict("records"):
        yield {str(name): value for name, value in row.items()}
