"""The SCALE-Sim suite: exact in every dataflow, with and without the reference table."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.cosearch.validation import Reference, load_suite, reference_folder
from dovetail.errors import BadInput

REFERENCE = reference_folder(None)
HEADER = (
    "layer,ifmap_h,ifmap_w,filter_h,filter_w,channels,num_filter,stride,"
    "cycles_32x32_is,cycles_32x32_os,cycles_32x32_ws\n"
)


def table(folder: Path, *rows: str) -> Reference:
    (folder / "scalesim").mkdir()
    (folder / "scalesim/resnet18_cycles.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return Reference(folder)


@pytest.mark.skipif(REFERENCE is None, reason="no reference data here")
def test_every_layer_and_product_equals_scale_sim() -> None:
    results = load_suite("systolic").run(Reference(REFERENCE))
    assert [len(result.cases) > 20 for result in results] == [True] * 3
    assert all(result.met and result.mape_pct == 0.0 for result in results)


def test_without_the_table_the_products_on_record_are_compared() -> None:
    reference = Reference(None)
    results = load_suite("systolic").run(reference)
    assert [result.quantity.split(", ")[1].split()[0] for result in results] == ["weight", "output", "input"]
    assert all(len(result.cases) == 10 and result.met for result in results)
    assert reference.missing == ["scalesim/resnet18_cycles.csv"]


def test_cycles_kept_aside_are_left_out(tmp_path: Path) -> None:
    results = load_suite("systolic").run(table(tmp_path, "Conv2_1a,56,56,3,3,64,64,1,,117391,"))
    assert [len(result.cases) for result in results] == [10, 11, 10]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("L,56,56,3,3,,64,1,1,2,3", "channels is blank; a layer needs its whole shape"),
        ("L,56,56,3,3,many,64,1,1,2,3", "channels is 'many', not a number"),
        ("L,2,56,3,3,4,64,1,1,2,3", "3 is larger than the input's 2"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_suite("systolic").run(table(tmp_path, row))
