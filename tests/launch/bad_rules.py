"""Lines with bad input, and what is said: of attackers, privacy and simulated time."""

RULES = {
    "as many attackers as peers": (
        "run --adversary alie --adversary.peers 16",
        "adversary.peers is 16: it must leave at least 2 of 16 peers honest",
    ),
    "attackers that cut the graph": (
        "run --adversary silent --adversary.peers [0,8]",
        "adversary.peers is .0, 8.: it must not cut the graph of honest peers, but peers 0, 8 leave it in 2 parts",
    ),
    "a waiting rule that is nearly one": ("run --clock.wait barier", "clock.wait is barier.*did you mean barrier.$"),
    "a metric that is nearly one": ("run --metrics trace,recal", "metrics is trace,recal.*did you mean recall.$"),
    "a type that is nearly one": ("run --dtype float46", "dtype is float46.*did you mean float64.$"),
    "recall without classes": ("run --metrics recall", "metrics is recall: it needs an objective with classes"),
    "an attacker that there is not": ("run --adversary silent --adversary.peers [16]", "numbers of peers, at most 15"),
    "an attack on what is compressed": (
        "run --adversary alie --algorithm.gossip choco",
        "algorithm.gossip is choco: it must send plain rows or scalars for the adversary alie.*clipped",
    ),
    "an attack on steps of Chebyshev": (
        "run --adversary alie --algorithm.gossip chebyshev",
        "algorithm.gossip is chebyshev: it must send plain rows or scalars.*choose plain, flood, or a robust gossip",
    ),
    "an attack on mass": (
        "run --adversary alie --algorithm.gossip push_sum",
        "algorithm.gossip is push_sum: it must send plain rows or scalars.*choose plain, flood, or a robust gossip",
    ),
    "an attack without rounds": (
        "run --adversary alie --algorithm adsgd",
        "algorithm is adsgd: it must gossip in rounds, since attackers forge.*choose dpsgd or dfedsam",
    ),
    "an attack on rows where scalars are sent": (
        "run --adversary spectral --algorithm.gossip flood --algorithm.gossip.steps 8",
        "adversary is spectral: it must be able to forge scalars.*choose alie or sign_flip",
    ),
    "fewer attackers than none": (
        "run --adversary alie --adversary.peers -1",
        "adversary.peers is -1: it must be at least 0",
    ),
    "queries of losses that need noise": (
        "run --objective logistic_regression --privacy.noise 1 --algorithm.gossip ubar",
        "algorithm.gossip is ubar: it must not choose rows by a peer's own losses",
    ),
    "privacy without rounds": (
        "run --algorithm adsgd --privacy.epsilon 3",
        "privacy is gaussian: it must be none for an asynchronous algorithm",
    ),
    "privacy of a sketch": (
        "run --objective logistic_regression --privacy.noise 1 --algorithm.estimator score_sketch",
        "algorithm.estimator is score_sketch: it must use differences of losses.*choose two_point or one_sided",
    ),
    "seeds shared along links that change": (
        "run --privacy decor --privacy.noise 1 --topology one_peer_exponential",
        "privacy is decor: it must have the same undirected links",
    ),
    "more attackers than a robust mean of scalars withstands": (
        "run --algorithm.gossip flood --algorithm.gossip.rule trimmed_mean --algorithm.gossip.max_attackers 8"
        " --algorithm.gossip.steps 8 --algorithm.estimator.shared true",
        "algorithm.gossip.max_attackers is 8: it must be at most 7 for trimmed_mean of 16 peers",
    ),
    "labels of no classes": ("run --adversary label_flip", "adversary is label_flip: it must have an objective with"),
    "epsilon of 0": ("run --privacy.epsilon 0", "privacy.epsilon is 0.0.*above 0"),
    "delta of 0": ("run --privacy.epsilon 3 --privacy.delta 0", "privacy.delta is 0.0.*above 0"),
    "a budget that no noise meets": (
        "run --objective logistic_regression --privacy.epsilon 1e-9",
        "privacy.epsilon is 1e-09: it is too small for any noise",
    ),
    "delta of 1": ("run --privacy.epsilon 3 --privacy.delta 1", "privacy.delta is 1.0: it must be below 1"),
    "a clip of 0": ("run --privacy.epsilon 3 --privacy.clip 0", "privacy.clip is 0.0.*above 0"),
    "no budget and no noise": (
        "run --privacy gaussian",
        "privacy.epsilon is None: it must be given",
    ),
    "privacy of no examples": (
        "run --privacy.epsilon 3",
        "privacy is gaussian: it must have .* one loss",
    ),
    "privacy of no scalars": (
        "run --objective logistic_regression --privacy.epsilon 3 --algorithm.estimator exact",
        "algorithm.estimator is exact: it must use differences of losses",
    ),
    "privacy of what is not counted": (
        "run --algorithm gradient_tracking --privacy.noise 1",
        "algorithm is gradient_tracking: it must consist of plain local steps",
    ),
    "attackers of a topology, all of its peers": (
        "topology ring --attackers 15",
        "attackers is 15: it must be at most 14",
    ),
    "an asynchronous algorithm and a waiting rule": (
        "run --algorithm adsgd --clock.wait barrier",
        "clock.wait is barrier: it must be none for an asynchronous algorithm",
    ),
    "rounds in which nobody waits": ("run --clock.wait none", "clock.wait is none.*asynchronous.*adsgd"),
    "more neighbours than there are": (
        "run --clock.wait fastest_m --clock.m 3",
        "clock.m is 3: it must be at most 2, the smallest number of neighbours",
    ),
    "late messages and gossip with a memory": (
        "run --clock.wait fastest_m --clock.m 1 --algorithm.gossip choco",
        "clock.wait is fastest_m.*whole rows.*choose the gossip plain",
    ),
    "attackers without rounds": (
        "run --algorithm adsgd --adversary alie --adversary.peers 2",
        "algorithm is adsgd: it must gossip in rounds.*choose dpsgd or dfedsam",
    ),
    "a trace that leaves nobody": (
        "run --peers 3 --clock.availability.file gone.csv",
        "clock.availability.file is gone.csv: it must keep at least one peer present, .* absent from second 3; let",
    ),
    "a trace that is missing": (
        "run --peers 3 --clock.availability.file none.csv",
        "clock.availability.file is none.csv: it must be readable, but: there is no such file; fix the path",
    ),
    "a trace of other peers": (
        "run --peers 2 --clock.availability.file gone.csv",
        "clock.availability.file is gone.csv: it must name peers from 0 to 1, not 2 in line 2",
    ),
    "churn and a gossip with a memory": (
        "run --clock.availability synthetic --algorithm.gossip choco",
        "gossip is choco.*changes from round to round; choose the gossip deep_squeeze, or plain",
    ),
    "a bucket of nothing": (
        "run --clock.compute rate_limits --clock.compute.burst 0",
        "clock.compute.burst is 0.0: it must be finite and at least 1",
    ),
    "an underlay without distances": (
        "run --peers 2 --clock.links underlay --clock.links.file flat.gml",
        "clock.links.file is flat.gml: it must give the distance between 0 and 1 in km.*add `distance` to each edge",
    ),
    "a negative bandwidth": ("run --clock.links.bandwidth -1", "clock.links.bandwidth is -1.0.*above 0"),
    "an underlay with fewer sites than peers": (
        "run --clock.links underlay --peers 12",
        "clock.links.file is gaia: it must have a site for each of 12 peers, but it has 11",
    ),
    "no bandwidth": (
        "run --clock.links.bandwidth 0",
        "clock.links.bandwidth is 0.0: it must be a finite number above 0",
    ),
    "latencies of other peers": (
        "run --peers 4 --clock.links matrix --clock.links.latency off.csv --clock.links.bandwidth off.csv",
        "clock.links.latency is off.csv: it must be 4 × 4, a row per peer, but it is 3 × 3",
    ),
    "an end in time without time": ("run --until 5", "until is 5.0: it needs simulated time.*--clock simulated"),
}
