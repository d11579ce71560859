"""The shipped carbon tables, and what a broken table is told."""

from pathlib import Path

import pytest

from dovetail.energy.carbon.tables import carbon_tables, grid_figures, load_grids, load_tables
from dovetail.errors import SpecError

TABLE = """\
name: test
description: of a table
sources: {{here: a test}}
tables:
  {name}:
    source: {source}
    valid: always
    uncertainty: 0.1
    figures: {{7 nm: {figure}}}
    {more}
"""
GRIDS = """\
name: test
description: of grids
sources: {{here: a test, act_source: another}}
sources_of_electricity: {{coal: 820 g/kWh}}
places:
  FRA: {{name: France, source: {source}, years: {{{year}: {figure}}}}}
"""


def test_every_fab_table_has_the_same_nodes_and_costs_more_below_them() -> None:
    tables = carbon_tables()
    nodes = list(tables["fab_energy"].figures)
    for name in ("fab_energy", "fab_gases_95", "fab_gases_99"):
        values = list(tables[name].figures.values())
        assert list(tables[name].figures) == nodes
        assert values == sorted(values)
    assert list(tables["fab_materials"].figures) == nodes


def test_every_table_and_place_says_where_it_is_from() -> None:
    assert all(table.source and table.valid and 0 < table.uncertainty <= 1 for table in carbon_tables().values())
    places = grid_figures().places
    assert all(place.source and place.by_year for place in places.values())
    assert len(places) > 80


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"figure": "1 g/kWh"}, "a carbon intensity, an energy per area is needed"),
        ({"figure": "-1 kWh/cm2"}, "too small"),
        ({"source": "nobody"}, "no source 'nobody' in this file; known: here"),
        ({"more": "same_as: {seven: 8 nm}"}, "no entry '8 nm' to stand in; name one of 7 nm"),
        ({"more": "colour: red"}, "unknown key 'colour'"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(values: dict[str, str], message: str, tmp_path: Path) -> None:
    given = {"name": "fab_energy", "source": "here", "figure": "1 kWh/cm2", "more": ""} | values
    path = tmp_path / "table.yaml"
    path.write_text(TABLE.format(**given))
    with pytest.raises(SpecError) as caught:
        load_tables(path)
    assert message in str(caught.value)
    assert "table.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"figure": "56"}, "has no unit; write e.g. '56"),
        ({"source": "nobody"}, "no source 'nobody'"),
        ({"year": "soon"}, "years"),
    ],
)
def test_broken_grids_are_refused_with_their_line(values: dict[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "grids.yaml"
    path.write_text(GRIDS.format(**({"source": "here", "year": "2023", "figure": '"56 g/kWh"'} | values)))
    with pytest.raises(SpecError) as caught:
        load_grids(path)
    assert message in str(caught.value)
    assert "grids.yaml:6:" in str(caught.value)
