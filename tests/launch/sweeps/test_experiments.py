"""What ships: every sweep can be planned, and every cell of it built, as it stands; and it says what it shows."""

import pytest

from dfedsam.launch import execute
from dfedsam.launch.options import EXPERIMENTS
from dfedsam.launch.sweeps import plan, spec

SWEEPS = sorted(path.name for path in EXPERIMENTS.glob("*.yaml") if "\nbase:" in path.read_text(encoding="utf-8"))


def test_there_are_those_that_studies_want():
    wanted = {"topology_ablation", "topology_ablation_text", "gossip_steps", "rho", "heterogeneity", "peers"}
    wanted |= {"compression", "dfedsam_paper"}
    assert {f"{name}.yaml" for name in wanted} <= set(SWEEPS)


@pytest.mark.parametrize("name", SWEEPS)
def test_every_run_of_an_experiment_can_be_built(name):
    path = EXPERIMENTS / name
    text = path.read_text(encoding="utf-8")
    assert f"#   dfedsam sweep {name}" in text
    assert "two cores" in text.partition("base:")[0]  # how long it takes
    cells = plan.plan(spec.read(path))
    seen = set()
    for cell in cells:
        for job in cell.jobs:
            if job.values["seed"] != cell.jobs[0].values["seed"]:
                continue  # seeds share all else, and only large random graphs take time to draw
            experiment = job.build()
            assert experiment.topology.n == experiment.description()["peers"]
            # nothing biased; more attackers than a rule assumes are what a study asks about
            assert [note for note in execute.notes(experiment) if "attack" not in note] == []
            seen.add(experiment.digest() + str(experiment.rounds))
    assert len(seen) == sum(len(cell.candidates) or 1 for cell in cells)  # no two cells are the same experiment


def test_the_small_ablation_is_as_large_as_it_must_be():
    cells = plan.plan(spec.read(EXPERIMENTS / "topology_ablation.yaml"))
    found = {
        option: {run.values[option] for cell in cells for run in cell.runs}
        for option in ("topology", "peers", "algorithm.gossip.steps", "objective.heterogeneity", "seed")
    }
    assert len(found["topology"]) >= 8
    assert found["algorithm.gossip.steps"] == {1, 4}
    assert [len(found[option]) for option in ("peers", "objective.heterogeneity", "seed")] == [3, 2, 3]
    assert sum(len(cell.runs) for cell in cells) == 2 * 2 * 3 * 3 * len(found["topology"])
