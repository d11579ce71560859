"""The page in a real browser: it opens, nothing is complained about, and its drop-downs draw."""

import json
import re
import shutil
import subprocess

import pytest
from study_fakes import FakeProblem, study

from dovetail.cosearch.studies.run import run_study

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
         "--enable-unsafe-swiftshader")  # fmt: skip

# Works the page's controls as a reader would, and leaves what it saw where the test finds it.
PROBE = """<script>
const seen = {errors: window.seenErrors, charts: document.querySelectorAll(".chart .main-svg").length};
const explorer = document.querySelector("[data-kind=explorer]");
const pick = (block, name, value) => {
  const control = block.closest(".card").querySelector(`[name=${name}]`);
  if (control.type === "checkbox") control.checked = value; else control.value = value;
  control.dispatchEvent(new Event("change"));
};
const axes = block => [block.layout.xaxis.title.text, block.layout.yaxis.title.text];
seen.before = axes(explorer);
seen.points = explorer.data.map(trace => trace.x.length);
pick(explorer, "x", "energy_j");
pick(explorer, "y", "error_pct");
pick(explorer, "colour", "hw.pes");
seen.after = axes(explorer);
seen.sigma = explorer.data.some(trace => trace.error_y && trace.error_y.array.length > 0);
pick(explorer, "two", true);
seen.line = explorer.data.filter(trace => trace.mode === "lines").length;
pick(explorer, "dominated", false);
seen.names = explorer.data.map(trace => trace.name.replace(/ \\(.*/, ""));
explorer.explorer.inspect(explorer.data.find(trace => trace.name.startsWith("Pareto")).customdata[0]);
seen.inspected = document.querySelector(".inspector").textContent;
seen.options = [...document.querySelector("[name=x]").options].map(option => option.value);
const curves = document.querySelector("[data-kind=curves]");
const bands = curves.curves.data.bands;
pick(curves, "curve", "latency_s");
pick(curves, "axis", "Accuracies asked for");
seen.curve = axes(curves);
seen.last = bands ? null : curves.data[0].y.at(-1);
seen.least = Math.min(...explorer.explorer.axes.get("latency_s").values);
const out = document.createElement("script");
out.type = "application/json";
out.id = "seen";
out.textContent = JSON.stringify(seen);
document.body.append(out);
</script>"""
WATCH = """<script>
window.seenErrors = [];
addEventListener("error", event => seenErrors.push(event.message));
for (const kind of ["error", "warn"]) console[kind] = (...texts) => seenErrors.push(texts.join(" "));
</script>"""


def opened(page, tmp_path):
    """What the probe saw, and what the browser itself wrote to its console."""
    text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{WATCH}").replace("</body>", f"{PROBE}</body>")
    probed = tmp_path / "probed.html"
    probed.write_text(text, encoding="utf-8")
    command = [BROWSER, *FLAGS, "--virtual-time-budget=10000", "--enable-logging=stderr", "--v=0",
               f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", probed.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    found = re.search(r'<script type="application/json" id="seen">(.*?)</script>', done.stdout, re.DOTALL)
    # A machine without a graphics card draws WebGL in software, which the browser remarks upon.
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line and "WebGL" not in line]
    assert found, f"the page's script did not run to its end: {console}"
    return json.loads(found.group(1)), console


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    run_study(study(trials=60, report="{figures: false}"), FakeProblem(), out=out)
    return out


@pytest.fixture(scope="module")
def seen(folder, tmp_path_factory):
    found, console = opened(folder / "report.html", tmp_path_factory.mktemp("browser"))
    assert console == []
    return found


def test_the_page_opens_without_an_error_and_draws_every_chart(folder, seen):
    assert seen["errors"] == []
    holders = (folder / "report.html").read_text(encoding="utf-8").count("class='chart'")
    assert seen["charts"] >= holders - 1  # parallel coordinates are drawn otherwise


def test_any_two_numbers_can_be_put_on_the_axes(seen):
    assert seen["before"] == ["Latency (ms)", "Energy (mJ)"]
    assert seen["after"] == ["Energy (mJ)", "Top-1 error (%)"]
    assert {"latency_s", "energy_j", "error_pct", "area_mm2", "edp", "hw.pes", "number"} <= set(seen["options"])


def test_the_errors_uncertainty_is_drawn_where_the_error_is_an_axis(seen):
    assert seen["sigma"] is True


def test_dominated_designs_and_the_front_of_two_come_and_go(seen):
    assert seen["line"] == 1
    assert "Dominated" not in seen["names"]
    assert {"Pareto front", "Baseline"} <= set(seen["names"])


def test_a_design_that_is_clicked_shows_its_choices(seen):
    assert "Trial" in seen["inspected"]
    assert "pes" in seen["inspected"]


def test_the_convergence_is_shown_for_any_objective_over_accuracies_too(seen):
    assert seen["curve"] == ["Accuracies asked for", "Least latency so far (ms)"]
    assert seen["last"] == pytest.approx(seen["least"], rel=1e-4)


def test_several_seeds_have_a_page_that_works_too(tmp_path):
    from dovetail.cosearch.reports.repeats import repeats_report

    for seed in (1, 2, 3):
        run_study(study(trials=24, seed=seed), FakeProblem(), out=tmp_path / f"seed_{seed}")
    found, console = opened(repeats_report(tmp_path), tmp_path)
    assert console == []
    assert found["errors"] == []
    assert found["curve"] == ["Accuracies asked for", "Least latency so far (ms)"]
    assert "seed" in found["options"]
