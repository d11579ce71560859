"""The serving options of `dovetail simulate`: when requests come, who waits, what they ask for, how a device sleeps."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...accel.simulator.queueing import DROPS, POLICIES
from ...errors import BadInput, UnknownName
from .arguments import checked, energy, mean_and_spread, positive, proportion, read_share, time, whole

if TYPE_CHECKING:
    from ...accel.accelerator import Accelerator
    from ...accel.simulator.arrivals import Arrivals
    from ...accel.simulator.queueing import Batching
    from ...accel.simulator.workload import FrameFilter, Saliency, Workload
    from ...models.network import Network

__all__ = ["Demand", "add_options"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add every option that needs ``--arrivals``."""
    group = parser.add_argument_group("serving (instead of one run)")
    options = [
        group.add_argument(
            "--arrivals",
            metavar="HOW",
            help="serve requests that come as 100/s, '10 ms' (one every so often), poisson:100/s, closed:8 (clients "
            "that wait for their answer) or a file of times in seconds; several networks: 'a=100/s; b=poisson:5/s'",
        ),
        group.add_argument(
            "--requests", type=positive, metavar="N", help="how many; else until --until or the file's end"
        ),
        group.add_argument("--servers", type=positive, metavar="N", help="equal devices behind one queue (default 1)"),
        group.add_argument("--queue", choices=POLICIES, help="who is served next (default fifo)"),
        group.add_argument(
            "--priority",
            action="append",
            type=checked(_priority),
            metavar="NETWORK=P",
            help="of a network's requests, the larger the sooner (default 0); may be repeated",
        ),
        group.add_argument(
            "--mix",
            action="append",
            type=checked(_mix),
            metavar="NETWORK=SHARE",
            help="of all requests that are this network's (default: equal shares); may be repeated",
        ),
        group.add_argument("--capacity", type=whole, metavar="N", help="how many may wait (default: any number)"),
        group.add_argument("--drop", choices=DROPS, help="who goes when the queue is full (default drop_new)"),
        group.add_argument("--deadline", type=time, metavar="TIME", help="from a request's arrival to its answer"),
        group.add_argument("--batch-size", type=positive, metavar="N", help="requests of a network served together"),
        group.add_argument(
            "--batch-wait", type=time, metavar="TIME", help="how long a free device waits for a full batch"
        ),
    ]
    options += _add_power(parser) + _add_work(parser)
    parser.set_defaults(serving_options=[(one.dest, one.option_strings[0]) for one in options[1:]])


def _add_power(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    group = parser.add_argument_group("serving: how a device that waits goes to sleep")
    return [
        group.add_argument("--clock-gate-after", type=time, metavar="TIME", help="stop the clock after so long a wait"),
        group.add_argument("--clock-wake", type=time, metavar="TIME", help="how long it takes to start again"),
        group.add_argument("--power-gate-after", type=time, metavar="TIME", help="cut the supply after so long a wait"),
        group.add_argument("--power-wake", type=time, metavar="TIME", help="how long it takes to power up"),
        group.add_argument("--power-wake-energy", type=energy, metavar="ENERGY", help="what it costs, e.g. '5 uJ'"),
        group.add_argument(
            "--retained", type=proportion, metavar="SHARE", help="of the leakage without supply (default 0)"
        ),
    ]


def _add_work(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    group = parser.add_argument_group("serving: work that depends on the data")
    return [
        group.add_argument(
            "--exit",
            action="append",
            type=checked(_exit),
            metavar="LAYER=SHARE",
            help="the share of requests that leave after this layer; may be repeated",
        ),
        group.add_argument(
            "--keep-frames",
            type=checked(_frames),
            metavar="SHARE",
            help="only so many are computed: 0.3 at random, 1/4 every fourth",
        ),
        group.add_argument(
            "--area",
            type=checked(_area),
            metavar="MEAN[:SPREAD]",
            help="only this share of a frame is computed, e.g. 0.3:0.1",
        ),
    ]


def _exit(text: str) -> tuple[str, float]:
    name, share = _pair(text, "LAYER=SHARE, e.g. layer3.1.add=0.4")
    return name, read_share(share)


def _mix(text: str) -> tuple[str, float]:
    name, share = _pair(text, "NETWORK=SHARE, e.g. resnet50=0.4")
    return name, read_share(share)


def _priority(text: str) -> tuple[str, float]:
    name, number = _pair(text, "NETWORK=P, e.g. resnet50=2")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"'{number}' is no priority; write a number, e.g. {name}=2")
    return name, value


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not name.strip() or not value.strip():
        raise BadInput(f"'{text}' has not both a name and a number; write {form}")
    return name.strip(), value.strip()


def _named(option: str, pairs: Sequence[tuple[str, float]] | None) -> dict[str, float] | None:
    """What a repeated option gives each name; raises `BadInput` for one given twice."""
    found: dict[str, float] = {}
    for name, value in pairs or ():
        if name in found:
            raise BadInput(f"{option} {name}: it is given twice; keep one")
        found[name] = value
    return found or None


def _frames(text: str) -> FrameFilter:
    from ...accel.simulator.workload import FrameFilter

    one, slash, every = text.partition("/")
    if not slash:
        return FrameFilter(keep=read_share(text))
    if one.strip() != "1" or not every.strip().isdecimal():
        raise BadInput(f"'{text}' is no share of frames; write 0.3, 30% or, for every fourth, 1/4")
    return FrameFilter(every=int(every))


def _area(text: str) -> Saliency:
    from ...accel.simulator.workload import Saliency, Share

    return Saliency(Share(*mean_and_spread(text)))


@dataclass(frozen=True)
class Demand:
    """The parsed options of a serving run."""

    arrivals: Arrivals
    requests: int | None
    servers: int
    queue: str
    drop: str
    capacity: int | None
    deadline_s: float | None
    batching: Batching | None
    power: dict[str, Any]
    priorities: dict[str, float] | None
    mix: dict[str, float] | None
    workload: Workload | None
    said: str

    @classmethod
    def of(cls, args: argparse.Namespace) -> Demand | None:
        """None without ``--arrivals``; raises `BadInput` for options that do not go together."""
        if args.arrivals is None:
            given = [option for name, option in args.serving_options if getattr(args, name) is not None]
            if given:
                raise BadInput(f"{given[0]} is about serving requests; say when they come, e.g. --arrivals 100/s")
            return None
        from ...accel.simulator.arrivals import parse_arrivals

        _check_together(args)
        arrivals = parse_arrivals(args.arrivals)
        if arrivals.requests is None and args.requests is None and args.until is None:
            raise BadInput(f"--arrivals {args.arrivals}: they never end; add --requests 1000 or --until '1 s'")
        return cls(
            arrivals,
            args.requests,
            args.servers or 1,
            args.queue or POLICIES[0],
            args.drop or DROPS[0],
            args.capacity,
            args.deadline,
            _batching(args),
            _power(args),
            _named("--priority", args.priority),
            _named("--mix", args.mix),
            _workload(args),
            args.arrivals,
        )

    def _check(self, networks: Sequence[Network]) -> None:
        """Raise `UnknownName` for a network or a layer that is not there, before anything is simulated."""
        from ...accel.simulator.arrivals import Merged, Trace

        names = [network.name for network in networks]
        asked: dict[str, Iterable[str]] = {"--priority": self.priorities or (), "--mix": self.mix or ()}
        if isinstance(self.arrivals, Merged):
            asked["--arrivals"] = [name for name, _ in self.arrivals.parts]
        elif isinstance(self.arrivals, Trace):
            asked["--arrivals"] = [name for name in dict.fromkeys(self.arrivals.networks) if name]
        for option, given in asked.items():
            for name in given:
                if name not in names:
                    raise UnknownName(f"network of {option}", name, names)
        if len(set(names)) < len(names):
            raise BadInput("two of the networks have one name; requests could not tell them apart: leave one out")
        layers = [op.name for network in networks for op in network.ops]
        for layer in self.workload.early_exit if self.workload else ():
            if layer not in layers:
                raise UnknownName(f"layer of {' and '.join(names)}", layer, layers)

    def options(self, networks: Sequence[Network], accelerator: Accelerator) -> dict[str, Any]:
        """What `serve` is given; the accelerator draws its standing powers unless it sleeps. Raises `BadInput`."""
        from ...accel.simulator.power import PowerModel

        self._check(networks)
        return {
            "requests": self.requests,
            "servers": self.servers,
            "queue": self.queue,
            "drop": self.drop,
            "capacity": self.capacity,
            "deadline_s": self.deadline_s,
            "batching": self.batching,
            "power": PowerModel(accelerator.leakage_w, accelerator.clock_w, **self.power),
            "priorities": self.priorities,
            "mix": self.mix,
            "workload": self._workload_of(networks),
        }

    def _workload_of(self, networks: Sequence[Network]) -> Workload | dict[str, Workload] | None:
        """Of several networks, each has the early exits after its own layers."""
        if self.workload is None or len(networks) < 2:
            return self.workload
        exits = self.workload.early_exit
        own = {
            network.name: {op.name: exits[op.name] for op in network.ops if op.name in exits} for network in networks
        }
        return {name: replace(self.workload, early_exit=shares) for name, shares in own.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """The options for JSON."""
        return {
            "arrivals": self.said,
            "servers": self.servers,
            "queue": self.queue,
            "drop": self.drop,
            "capacity": self.capacity,
            "deadline_s": self.deadline_s,
            "batching": self.batching,
            "power": self.power,
            "priorities": self.priorities,
            "mix": self.mix,
            "workload": self.workload,
        }


def _check_together(args: argparse.Namespace) -> None:
    """Raise `BadInput` for options of which one says nothing without, or against, another."""
    needs = (
        ("batch_wait", "--batch-wait", "batch_size", "--batch-size"),
        ("clock_wake", "--clock-wake", "clock_gate_after", "--clock-gate-after"),
        ("power_wake", "--power-wake", "power_gate_after", "--power-gate-after"),
        ("power_wake_energy", "--power-wake-energy", "power_gate_after", "--power-gate-after"),
        ("retained", "--retained", "power_gate_after", "--power-gate-after"),
    )
    for name, option, other, other_option in needs:
        if getattr(args, name) is not None and getattr(args, other) is None:
            raise BadInput(f"{option} is about {other_option}; give both or neither")
    if args.queue == "edf" and args.deadline is None:
        raise BadInput("--queue edf serves the earliest deadline first; give one, e.g. --deadline '50 ms'")
    if args.drop == "drop_late" and args.deadline is None:
        raise BadInput("--drop drop_late goes by the deadline; give one, e.g. --deadline '50 ms'")
    if args.drop == "drop_oldest" and args.capacity is None:
        raise BadInput("--drop drop_oldest needs a queue that can be full; give its --capacity")
    if args.queue == "priority" and not args.priority:
        raise BadInput("--queue priority goes by the networks' priorities; give them, e.g. --priority resnet50=2")
    if args.priority and args.queue != "priority":
        raise BadInput("--priority is about --queue priority; give both or neither")
    refused = {
        "runs": "the requests say how often",
        "cores": "a request runs on one core; give --servers for several devices",
        "policy": "a request runs on one core, layer after layer",
        "arbitration": "a request runs on one core",
        "layers": "it shows one run, not requests",
        "trace": "it shows one run, not requests",
        "gantt": "it shows one run, not requests",
    }
    for name, why in refused.items():
        if getattr(args, name):
            raise BadInput(f"--{name} and --arrivals do not go together: {why}; leave one of them out")


def _batching(args: argparse.Namespace) -> Batching | None:
    if args.batch_size is None:
        return None
    from ...accel.simulator.queueing import Batching

    if args.batch > 1:
        raise BadInput("--batch is the size of every request; to serve several at once give --batch-size alone")
    return Batching(args.batch_size, args.batch_wait or 0.0)


def _power(args: argparse.Namespace) -> dict[str, Any]:
    given = {
        "gate_clock_after_s": args.clock_gate_after,
        "clock_wake_s": args.clock_wake,
        "gate_power_after_s": args.power_gate_after,
        "power_wake_s": args.power_wake,
        "power_wake_j": args.power_wake_energy,
        "retained_leakage": args.retained,
    }
    return {name: value for name, value in given.items() if value is not None}


def _workload(args: argparse.Namespace) -> Workload | None:
    from ...accel.simulator.workload import Workload

    exits = _named("--exit", args.exit) or {}
    if not exits and args.keep_frames is None and args.area is None:
        return None
    return Workload(exits, args.keep_frames, args.area)
