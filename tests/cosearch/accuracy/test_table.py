import pytest

from dovetail.cosearch.accuracy.registry import accuracy_source
from dovetail.cosearch.accuracy.table import AccuracyTable, TableOptions
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.studies.load import load_study
from dovetail.errors import BadInput, SpecError
from dovetail.models.load import load_network

GOOD = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
RESIDUAL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SPACE = network_space("nasbench201")


def values_of(arch):
    edges = ("01", "02", "12", "03", "13", "23")
    operations = [part.rpartition("~")[0] for group in arch.split("+") for part in group.strip("|").split("|")]
    return {f"net.edge_{edge}": operation for edge, operation in zip(edges, operations, strict=True)}


@pytest.fixture
def table(tmp_path):
    def table(text, **options):
        path = tmp_path / "accuracies.csv"
        path.write_text(text, encoding="utf-8")
        return AccuracyTable(SPACE, TableOptions(path=str(path), **options))

    return table


def test_an_architecture_is_looked_up_by_the_key_of_its_space(table):
    source = table(f"arch_str,top1_pct,spread\n{GOOD}, 71.25 ,0.4\n", sigma="spread")
    values = values_of(GOOD)
    found = source.predict(SPACE.build(values), {**values, "hw.pes_x": 4})
    assert (found.top1_pct, found.sigma_pct, found.macs) == (71.25, 0.4, 0.0)
    assert not source.expensive
    assert "looked up" in source.statement()


def test_a_row_that_stands_for_a_training_is_accounted_as_one(table):
    source = table(f"arch_str,top1_pct\n{GOOD},71.25\n", epochs=12, images=50_000)
    network = SPACE.build(values_of(GOOD))
    assert source.predict(network, values_of(GOOD)).macs == 3 * network.macs * 12 * 50_000
    assert source.expensive
    assert "12 epochs" in source.statement()


def test_a_missing_architecture_is_named(table):
    source = table(f"arch_str,top1_pct\n{GOOD},71.25\n")
    with pytest.raises(BadInput, match=r"no accuracy for '.nor_conv_3x3~0.*add a row"):
        source.predict(SPACE.build(values_of(RESIDUAL)), values_of(RESIDUAL))


def test_a_network_of_no_space_is_found_by_name_or_as_the_baseline(table):
    source = table(f"arch_str,top1_pct\n{SPACE.key(SPACE.baseline())},71.25\nresnet18,69.76\n")
    assert source.predict(SPACE.build(SPACE.baseline())).top1_pct == 71.25
    assert source.predict(load_network("resnet18")).top1_pct == 69.76
    with pytest.raises(BadInput, match="no accuracy for 'alexnet'"):
        source.predict(load_network("alexnet"))


def test_rows_without_an_accuracy_and_blank_lines_are_skipped(table):
    source = table(f"\ufeffarch_str,top1_pct\n{GOOD},\n\n{RESIDUAL},90\n")
    assert list(source.known) == [RESIDUAL]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch,top1_pct\na,1\n", r"accuracies.csv:1: no column 'arch_str'; did you mean 'arch'"),
        ("", "accuracies.csv:1: no column 'arch_str'; it has no header line"),
        ("arch_str,top1_pct\na,good\n", r"accuracies.csv:2: top1_pct is 'good', not a number"),
        ("arch_str,top1_pct\na,7\nb,170\n", r"accuracies.csv:3: top1_pct is 170; a percentage"),
        ("arch_str,top1_pct\na,nan\n", "a percentage lies between"),
        ("arch_str,top1_pct\na,7\na,8\n", "accuracies.csv:3: 'a' has a row already"),
        ("arch_str,top1_pct\n,7\n", "accuracies.csv:2: column arch_str is blank"),
        ("arch_str,top1_pct\n", "holds no accuracy"),
        ("arch_str,top1_pct\na,7\n\nb,71,5\n", "accuracies.csv:4: 3 fields, and the header names 2 columns; put"),
        ("arch_str,top1_pct,top1_pct\na,7,8\n", "accuracies.csv:1: column 'top1_pct' is there twice; rename"),
        ('arch_str,top1_pct\na,7\n"b,8\nc,9\n', r"accuracies.csv:3: cannot be read as CSV .*close the quote"),
        ('arch_str,top1_pct\na,7\n"b,8\nc,9"\n', "accuracies.csv:3: column arch_str goes over several lines; close"),
        ('arch_str,"top1_pct\na,7\n', "accuracies.csv:1: cannot be read as CSV"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_line(table, text, message):
    with pytest.raises(BadInput, match=message):
        table(text)


def test_quoted_texts_of_commas_and_lines_are_read_and_lines_of_commas_are_blank(table):
    text = 'note,arch_str,top1_pct\n"two\nlines","a=1,b=2",70\n,,,,\n"a ""quote""",c,71\n'
    assert {name: one.top1_pct for name, one in table(text).known.items()} == {"a=1,b=2": 70.0, "c": 71.0}
    with pytest.raises(BadInput, match=r"accuracies\.csv:6: top1_pct is 'x'"):
        table(text + "b,d,x\n")


def test_a_missing_table_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no such table"):
        AccuracyTable(None, TableOptions(path=str(tmp_path / "none.csv")))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read as a CSV table"):
        AccuracyTable(None, TableOptions(path=str(tmp_path / "binary.csv")))


def test_reference_data_that_is_absent_is_said_with_the_remedy(monkeypatch):
    monkeypatch.setattr("dovetail.cosearch.accuracy.table.reference_folder", lambda given: None)
    with pytest.raises(BadInput, match="DOVETAIL_REFERENCE"):
        AccuracyTable(None, TableOptions(path="reference:nasbench201/accuracy_12_epochs.csv"))


STUDY = """\
name: mine
network: {space: nasbench201}
hardware: {accelerator: edge_tpu, search: [pes_x]}
accuracy: {source: table, path: accuracies.csv}
budget: {trials: 20}
"""


def test_a_studys_table_stands_beside_it_and_is_checked_with_it(tmp_path):
    (tmp_path / "mine.yaml").write_text(STUDY)
    with pytest.raises(SpecError, match=r"mine.yaml:4:27: accuracy.path: .*no such table"):
        load_study(tmp_path / "mine.yaml")
    (tmp_path / "accuracies.csv").write_text(f"arch_str,top1_pct\n{GOOD},71.25\n")
    part = load_study(tmp_path / "mine.yaml").accuracy
    source = accuracy_source(part.source, "nasbench201", part.model_extra)
    assert source.predict(SPACE.build(values_of(GOOD)), values_of(GOOD)).top1_pct == 71.25


@pytest.mark.parametrize(
    ("part", "message"),
    [("epochs: 12", "epochs without images are no training"), ("images: 50", "images without epochs are no training")],
)
def test_half_of_what_a_training_is_is_refused(tmp_path, part, message):
    (tmp_path / "accuracies.csv").write_text(f"arch_str,top1_pct\n{GOOD},71.25\n")
    (tmp_path / "mine.yaml").write_text(STUDY.replace("accuracies.csv", f"accuracies.csv, {part}"))
    with pytest.raises(SpecError, match=rf"mine\.yaml:4:\d+: accuracy[.a-z]*: {message}; give both, or leave"):
        load_study(tmp_path / "mine.yaml")


def test_a_table_that_was_edited_is_read_anew(tmp_path):
    path, space = tmp_path / "table.csv", network_space("digits_cells")
    network, key = space.build(space.baseline()), space.key(space.baseline())
    options = {"path": str(path)}
    for top1 in (90, 40):
        path.write_text(f"arch_str,top1_pct\n{key},{top1}\n")
        assert accuracy_source("table", space, options).predict(network, space.baseline()).top1_pct == top1
    assert accuracy_source("table", space, options) is accuracy_source("table", space, options)
