"""`dovetail list` and `dovetail schema`: what is shipped and what a document may hold."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .output import Column, Output, peak_text, table

__all__ = ["add_commands"]

Row = Mapping[str, Any]


def add_commands(commands: Any) -> None:
    """Add `list` and `schema` to the parser's commands."""
    about = "what is shipped or registered"
    listing = commands.add_parser("list", help=about, description="List what is shipped or registered.")
    listing.add_argument("what", metavar="WHAT", choices=tuple(LISTS), help=", ".join(LISTS))
    Output.add_options(listing)
    listing.set_defaults(command=_list, parser=listing)

    schema = commands.add_parser(
        "schema",
        help="JSON Schema of a YAML document",
        description="Print the JSON Schema of a kind of YAML document.",
        epilog="Editors with a YAML language server check and complete a document with it.",
    )
    schema.add_argument("what", metavar="WHAT", choices=tuple(SCHEMAS), help=", ".join(SCHEMAS))
    schema.set_defaults(command=_schema, parser=schema)


def _list(args: argparse.Namespace) -> None:
    output = Output.of(args)
    rows, columns, cells = LISTS[args.what]()
    output.emit(rows, rows, lambda to: table(to, columns, [cells(row) for row in rows]))


Listing = tuple[list[Row], tuple[Column, ...], Callable[[Row], tuple[str, ...]]]


def _accelerators() -> Listing:
    from ...accel.accelerator import Memory
    from ...accel.spec import load_accelerator
    from ...document import shipped
    from ...energy.quantities import format_si

    rows: list[Row] = []
    for name in sorted(shipped("accelerators")):
        chip = load_accelerator(name)
        on_chip = sum(
            level.size_bits * count
            for level, count in zip(chip.levels, chip.instances, strict=True)
            if isinstance(level, Memory) and level.component != "dram"
        )
        rows.append(
            {
                "name": name,
                "technology_nm": chip.technology_nm,
                "clock_hz": chip.clock_hz,
                "macs_per_cycle": chip.peak_macs_per_cycle,
                "peak_ops_per_s": chip.peak_ops_per_s,
                "on_chip_bits": on_chip,
                "area_mm2": chip.area_mm2,
                "parameters": [parameter.name for parameter in chip.parameters],
                "source": chip.source,
            }
        )
    columns = (
        Column("name", style="cyan"),
        Column("node", right=True),
        Column("clock", right=True),
        Column("MACs/cycle", right=True, least_width=90),
        Column("peak", right=True),
        Column("on-chip memory", right=True),
        Column("area", right=True),
        Column("parameters", folds=True, least_width=130),
    )
    return (
        rows,
        columns,
        lambda row: (
            row["name"],
            f"{row['technology_nm']:g} nm",
            f"{row['clock_hz'] / 1e6:,.0f} MHz",
            f"{row['macs_per_cycle']:,}",
            peak_text(row["peak_ops_per_s"]),
            format_si(row["on_chip_bits"] / 8, "B"),
            f"{row['area_mm2']:,.1f} mm2",
            ", ".join(row["parameters"]) or "-",
        ),
    )


def _networks() -> Listing:
    from ...models.load import list_networks, load_network, network_options

    rows: list[Row] = []
    for name in sorted(list_networks()):
        network = load_network(name)
        rows.append(
            {
                "name": name,
                "layers": len(network.ops),
                "contractions": len(network.contractions),
                "macs": network.macs,
                "params": network.params,
                "options": list(network_options(name)),
                "source": network.source,
            }
        )
    columns = (
        Column("name", style="cyan"),
        Column("layers", right=True),
        Column("MACs", right=True),
        Column("parameters", right=True),
        Column("options", folds=True, least_width=90),
        Column("source", folds=True, style="dim", least_width=150),
    )
    return (
        rows,
        columns,
        lambda row: (
            row["name"],
            str(row["layers"]),
            f"{row['macs'] / 1e6:,.1f} M",
            f"{row['params'] / 1e6:,.2f} M",
            ", ".join(row["options"]) or "-",
            row["source"],
        ),
    )


def _named(rows: Iterable[tuple[str, str]]) -> Listing:
    """A listing of names with one line about each."""
    listed: list[Row] = [{"name": name, "description": description} for name, description in rows]
    return (
        listed,
        (Column("name", style="cyan"), Column("description", folds=True)),
        lambda row: (row["name"], row["description"]),
    )


def _shipped_documents(kind: str) -> Listing:
    from ...document import load_document, shipped

    def about(data: Mapping[str, Any]) -> str:
        return " ".join(str(data.get("description") or data.get("source") or "").split())

    return _named((name, about(load_document(path).data)) for name, path in sorted(shipped(kind).items()))


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().split("\n")[0]


def _mappers() -> Listing:
    from ...mapper.registry import mapper_class, mapper_names

    return _named((name, _first_line(mapper_class(name))) for name in mapper_names())


def _strategies() -> Listing:
    from ..strategies.registry import strategy_class, strategy_names

    return _named((name, _first_line(strategy_class(name))) for name in strategy_names())


def _modes() -> Listing:
    from ..strategies.modes import mode_class, mode_names

    return _named((name, _first_line(mode_class(name))) for name in mode_names())


def _spaces() -> Listing:
    from ..spaces.compose import option_fields
    from ..spaces.networks import NETWORK_SPACES

    rows: list[Row] = [
        {
            "name": name,
            "choices": len(networks.space.choices),
            "size": networks.space.size,
            "options": sorted(option_fields(networks)),
            "description": _first_line(networks),
        }
        for name, networks in sorted(NETWORK_SPACES.items())
    ]
    columns = (
        Column("name", style="cyan"),
        Column("choices", right=True),
        Column("networks", right=True),
        Column("description", folds=True, least_width=90),
        Column("options", folds=True, style="dim", least_width=150),
    )
    return (
        rows,
        columns,
        lambda row: (
            row["name"],
            str(row["choices"]),
            f"{row['size']:,}" if row["size"] < 1e6 else f"{row['size']:.2g}",
            row["description"],
            ", ".join(row["options"]),
        ),
    )


def _accuracy_sources() -> Listing:
    from ..accuracy.registry import accuracy_class, accuracy_names

    return _named((name, _first_line(accuracy_class(name))) for name in accuracy_names())


def _indicators() -> Listing:
    from ..accuracy.training_free.indicator import INDICATORS

    better = {1: "more is better", -1: "less is better"}
    return _named((one.name, f"{better[one.better]}; of the {one.needs}; {one.source}") for one in INDICATORS.values())


def _technologies() -> Listing:
    from ...energy.technology import constants

    rows: list[Row] = [
        {
            "name": name,
            "value": ", ".join(constant.texts),
            "status": constant.status,
            "uncertainty": constant.uncertainty,
            "source": constant.source,
            "valid": constant.valid,
        }
        for name, constant in sorted(constants().items())
    ]
    columns = (
        Column("name", style="cyan"),
        Column("value", folds=True),
        Column("source", folds=True, style="dim", least_width=110),
    )
    return rows, columns, lambda row: (row["name"], row["value"], f"{row['status']}: {row['source']}")


def _grids() -> Listing:
    from ...energy.carbon import grid
    from ...energy.carbon.tables import grid_figures

    figures = grid_figures()
    named = [(place.code, place.name) for place in figures.places.values()] + [(name, "") for name in figures.sources]
    rows: list[Row] = []
    for code, place in named:
        one = grid(code)
        rows.append({"name": code, "place": place, "g_per_kwh": one.g_per_kwh, "source": one.source})
    columns = (
        Column("name", style="cyan"),
        Column("place"),
        Column("g CO2e/kWh", right=True),
        Column("source", folds=True, style="dim", least_width=150),
    )
    return rows, columns, lambda row: (row["name"], row["place"], f"{row['g_per_kwh']:,.0f}", row["source"])


LISTS: dict[str, Callable[[], Listing]] = {
    "accelerators": _accelerators,
    "networks": _networks,
    "constraints": lambda: _shipped_documents("constraints"),
    "studies": lambda: _shipped_documents("studies"),
    "mappers": _mappers,
    "spaces": _spaces,
    "strategies": _strategies,
    "modes": _modes,
    "accuracy": _accuracy_sources,
    "indicators": _indicators,
    "technologies": _technologies,
    "grids": _grids,
    "recipes": lambda: _shipped_documents("training"),
}


def _accelerator_schema() -> dict[str, Any]:
    from ...accel.spec import accelerator_schema

    return accelerator_schema()


def _network_schema() -> dict[str, Any]:
    from ...models.yaml_io import network_schema

    return network_schema()


def _constraints_schema() -> dict[str, Any]:
    from ...mapper.constraint_file import constraints_schema

    return constraints_schema()


def _study_schema() -> dict[str, Any]:
    from ..studies.spec import StudySpec

    return StudySpec.model_json_schema()


def _space_schema() -> dict[str, Any]:
    from ..spaces.network_part import SpaceFile

    return SpaceFile.model_json_schema()


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "accelerator": _accelerator_schema,
    "network": _network_schema,
    "constraints": _constraints_schema,
    "space": _space_schema,
    "study": _study_schema,
}


def _schema(args: argparse.Namespace) -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | SCHEMAS[args.what]()
    sys.stdout.write(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
