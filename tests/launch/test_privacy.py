"""The ledger of a run, and what attackers leave of a topology, on the command line."""

import json


def test_the_ledger_of_runs_with_and_without_a_mechanism(dfedsam):
    shared = ["--objective", "logistic_regression", "--peers", "8", "--rounds", "2", "--figure", "false"]
    mechanisms = {
        "messages": ["--privacy", "gaussian_messages", "--privacy.noise", "20"],
        "scalars": ["--privacy.epsilon", "3", "--privacy.rate", "0.5"],
        "none": [],
    }
    for name, options in mechanisms.items():
        assert dfedsam("run", *shared, *options, "--out", name).status == 0
    assert dfedsam("privacy", "none").out == "no privacy guarantee\n"
    scalars = dfedsam("privacy", "scalars").out
    assert scalars.startswith("ε = 3 per peer, of a budget of 3, at δ = 1e-05, after 2 rounds")
    assert "Poisson samples of rate 0.5; 5 local steps a round, 2 estimates each" in scalars
    ledger = json.loads(dfedsam("privacy", "messages", "--json").out)
    assert ledger["by_distance"][0] >= ledger["by_distance"][1] >= ledger["by_distance"][2] == 0
    assert ledger["epsilon"] >= ledger["by_distance"][0]


def test_attackers_of_a_topology(dfedsam):
    said = json.loads(dfedsam("topology", "complete", "--peers", "16", "--attackers", "2", "--json").out)
    assert (round(said["honest_mu_2"], 9), said["tolerated"], len(said["attackers"])) == (14, 6, 2)
    table = dfedsam("topology", "ring", "complete", "--peers", "16", "--attackers", "2").out
    assert "honest μ₂  tolerated" in table
