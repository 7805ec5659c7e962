"""The ledger of a run, and what attackers leave of a topology, on the command line."""

import json

from dfedsam.launch import privacy


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
    near, next_to_near, far = ledger["by_distance"][:3]
    assert ledger["epsilon"] == near[0] == near[1] > next_to_near[1] > far[0] == 0, "after two rounds, of a step each"
    assert ledger["per_peer"] == [ledger["epsilon"]] * 8
    assert [0, 7, near[0]] in ledger["per_neighbour"]
    of_one = dfedsam("privacy", "messages", "--peer", "3").out
    assert [line.split()[0] for line in of_one.splitlines()[-2:]] == ["2", "4"], "its neighbours on the ring"
    assert "none is known to learn less" in scalars
    refused = dfedsam("privacy", "messages", "--peer", "8")
    assert (refused.status, refused.err.count("\n")) == (2, 1)


def test_attackers_of_a_topology(dfedsam):
    said = json.loads(dfedsam("topology", "complete", "--peers", "16", "--attackers", "2", "--json").out)
    assert (round(said["honest_mu_2"], 9), said["tolerated"], len(said["attackers"])) == (14, 6, 2)
    table = dfedsam("topology", "ring", "complete", "--peers", "16", "--attackers", "2").out
    assert "honest μ₂  tolerated" in table


def test_values_that_differ_by_rounding_alone_are_one():
    ledger = {
        "mechanism": "DECOR",
        "budget": None,
        "delta": 1e-5,
        "rounds": 2,
        "noise": 1.0,
        "clip": 1.0,
        "releases": "",
        "protects": "",
        "accountant": "",
        "per_neighbour": [],
        "by_distance": None,
    }
    same = ledger | {"epsilon": 0.46721, "per_peer": [0.46721, 0.467209999]}
    assert not any(line.startswith("peers") for line in privacy._lines(same, -1))
    differ = ledger | {"epsilon": 0.4672, "per_peer": [0.4672, 0.4671]}
    assert "peers       ε from 0.4671 to 0.4672, by their links" in privacy._lines(differ, -1)
