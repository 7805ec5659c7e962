"""Bad input: one line that names the option, the value and the rule; exit status 2; nothing written."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CASES = {
    "an option of the algorithm's without its name": ("run --gossip chebyshev", "did you mean --algorithm.gossip"),
    "an option of the objective's without its name": ("run --words bad,good", "did you mean --objective.words"),
    "a sweep's file as an experiment": ("run --config topology_ablation.yaml", "run it by `dfedsam sweep`"),
    "an experiment's file as a sweep": ("sweep demo.yaml", "run by `dfedsam run --config`"),
    "half the name of a file that ships": ("run --config demo", "name one that ships: .*demo.yaml"),
    "a slip in a file": ("run --config slip.yaml", "slip.yaml: rouds is not an option.*did you mean rounds"),
    "a name twice in a file": ("run --config twice.yaml", "twice.yaml.*line 2: rounds occurs twice"),
    "a tag that does not fit": ("run --config tag.yaml", "tag.yaml.*a tag that does not fit"),
    "JSON that is nothing": (
        "run --objective prompt_tuning --objective.words a,b --objective.data null.json",
        "null.json.*row 1 is None, not an object",
    ),
    "more directions than memory": (
        "run --algorithm.estimator.directions 99999999999999999999",
        "algorithm.estimator.directions is 9+: it must be a whole number of at most 1,000,000",
    ),
    "as many attackers as peers": (
        "run --adversary alie --adversary.peers 16",
        "adversary.peers is 16: it must leave at least 2 of 16 peers honest",
    ),
    "attackers that cut the graph": (
        "run --adversary silent --adversary.peers [0,8]",
        "adversary.peers is .0, 8.: it must not cut the graph of honest peers, but peers 0, 8 leave it in 2 parts",
    ),
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
    "more attackers than a rule withstands": (
        "run --algorithm.gossip trimmed_mean",
        "algorithm.gossip.max_attackers is 1: it must be at most 0 for trimmed_mean, since peer 0 has only 2",
    ),
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
    "gossip with a memory without rounds": (
        "run --algorithm adsgd --algorithm.gossip choco",
        "algorithm.gossip is not an option.*whole rows.*no gossip with a memory, such as choco or chebyshev, works; "
        "leave it out, or choose an algorithm with rounds",
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
    "fragments for more than all neighbours": (
        "run --algorithm divshare --algorithm.recipients 3",
        "algorithm.recipients is 3: it must be at most 2, the smallest number of neighbours",
    ),
    "an underlay without distances": (
        "run --peers 2 --clock.links underlay --clock.links.file flat.gml",
        "clock.links.file is flat.gml: it must give the distance between 0 and 1 in km.*add `distance` to each edge",
    ),
    "a negative bandwidth": ("run --clock.links.bandwidth -1", "clock.links.bandwidth is -1.0.*above 0"),
    "links that change without rounds": (
        "run --algorithm ad_psgd --topology one_peer_exponential",
        "algorithm is ad_psgd: it must have undirected links, the same at all times",
    ),
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
    "a message of no size": ("topology ring --underlay gaia --message 3Q", "message is 3Q.*such as 45MB"),
    "an unknown underlay": ("topology ring --underlay gai", "underlay is gai.*did you mean gaia"),
    "an unknown command": ("walk", "command is walk"),
    "an unknown topology": ("run --topology rings", "topology is rings.*--list.*did you mean ring"),
    "a grid of a prime number": ("run --topology grid --peers 13", "peers is 13.*12"),
    "an unconnected graph": ("run --topology apart.edgelist", "apart.edgelist.*connected"),
    "a missing graph": ("run --topology none.graphml", "none.graphml.*No such file"),
    "a hypercube of 12": ("run --topology hypercube --peers 12", "peers is 12.*8 or 16"),
    "a graph that falls apart": ("run --topology erdos_renyi --topology.p 0.001", "topology.p is 0.001.*connected"),
    "a file that is no graph": ("run --topology word.graphml", "word.graphml.*must hold a graph or a matrix"),
    "an unknown rule": (
        "run --topology.weights metropolist",
        "topology.weights is metropolist.*did you mean metropolis",
    ),
    "a directed graph and symmetric weights": (
        "run --topology random_out --topology.weights metropolis",
        "graph is directed: it must be undirected.*out_degree",
    ),
    "a directed graph and plain gossip": ("run --topology random_out", "gossip is plain.*choose the gossip push_sum"),
    "weights of a schedule": ("run --topology base --topology.weights lazy", "this topology has its own weights"),
    "more than a solver takes": ("run --topology.weights fastest --peers 3000", "at most .* peers.*3000.*metropolis"),
    "weights that do not sum to one": ("run --peers 3 --topology.weights off.csv", "off.csv.*row 1 sums to 1.1"),
    "weights of another size": ("run --peers 4 --topology.weights off.csv", "off.csv.*4 rows.*it has 3"),
    "links that fail too often": (
        "run --topology link_failures --topology.p 1.5",
        "topology.p is 1.5: it must be at least 0 and at most 1",
    ),
    "a probability below 0": ("run --topology peer_dropout --topology.p -0.1", "topology.p is -0.1.*at least 0"),
    "a peer away that there is not": (
        "run --topology peer_dropout --topology.absences [[99,0,1]]",
        "absences is .99, 0, 1.*15",
    ),
    "peers away in no list": (
        "run --topology peer_dropout --topology.absences 3",
        "topology.absences is 3: it must be a list of lists",
    ),
    "links that fail of what is biased": (
        "run --topology link_failures --topology.topology star --topology.topology.weights uniform",
        "topology is star: it must not be biased",
    ),
    "a budget of 3": ("run --topology matcha --topology.budget 3", "topology.budget is 3.0.*at most 1"),
    "a list without a value": (
        "run --topology round_robin --topology.topologies",
        "topology.topologies needs a value: --topology.topologies NAME,NAME",
    ),
    "a list of no topologies": ("run --topology round_robin", "topology.topologies is missing"),
    "probabilities of 1.1": (
        "run --topology random_choice --topology.topologies ring,star --topology.probabilities 0.5,0.6",
        "topology.probabilities is .0.5, 0.6.*sum to 1",
    ),
    "no data to know": ("run --topology stl_fw", "topology is stl_fw.*[Qq]uadratic has no examples of classes"),
    "a graph of another size": (
        "run --topology davis --peers 16",
        "peers is 16: it must be 32, the number of peers of topology davis",
    ),
    "a graph of another size inside": (
        "run --topology link_failures --topology.topology davis --peers 16",
        "peers is 16: it must be 32, the number of peers of topology davis",
    ),
    "a graph of networkx that there is not": (
        "run --topology networkx.barbel_graph",
        "topology is networkx.barbel_graph.*did you mean networkx.barbell_graph",
    ),
    "an option of networkx that is missing": ("run --topology networkx.barbell_graph", "topology.m1 is missing"),
    "one peer": ("run --peers 1", "peers is 1.*at least 2"),
    "peers in words": ("run --peers many", "peers is many: it must be a whole number"),
    "fewer peers than ranks": ("run --peers 2 --ranks 3", "ranks is 3.*peers, 2"),
    "no ranks": ("run --ranks 0", "ranks is 0.*at least 1"),
    "rho below 0": ("run --algorithm.rho -1", "algorithm.rho is -1.0.*at least 0"),
    "rho in words": ("run --algorithm.rho small", "algorithm.rho is small: it must be a number"),
    "lr of 0": ("run --algorithm.lr 0", "algorithm.lr is 0.0.*above 0"),
    "lr that is not a number": ("run --algorithm.lr nan", "algorithm.lr is nan: it must be a number"),
    "mu of 0": ("run --algorithm.estimator.mu 0", "algorithm.estimator.mu is 0.0.*above 0"),
    "alpha of 0": ("run --objective prompt_tuning --objective.split.alpha 0", "objective.split.alpha is 0.0.*above 0"),
    "no local steps": ("run --algorithm.local_steps 0", "algorithm.local_steps is 0.*at least 1"),
    "no gossip steps": ("run --algorithm.gossip.steps 0", "algorithm.gossip.steps is 0.*at least 1"),
    "more entries than there are": (
        "run --algorithm dpsgd --algorithm.gossip choco --algorithm.gossip.compressor topk"
        " --algorithm.gossip.compressor.k 51",
        "k is 51: it must be at most the length of x, 50",
    ),
    "no entries": (
        "run --algorithm.gossip choco --algorithm.gossip.compressor random_k --algorithm.gossip.compressor.k 0",
        "algorithm.gossip.compressor.k is 0.*at least 1",
    ),
    "no levels": (
        "run --algorithm.gossip choco --algorithm.gossip.compressor qsgd --algorithm.gossip.compressor.levels 0",
        "algorithm.gossip.compressor.levels is 0.*at least 1",
    ),
    "gamma of 0": ("run --algorithm.gossip choco --algorithm.gossip.gamma 0", "gossip.gamma is 0.0.*above 0"),
    "gamma below 0": ("run --algorithm Lead --algorithm.gamma -1", "algorithm.gamma is -1.0.*above 0"),
    "gamma in words": (
        "run --algorithm.gossip choco --algorithm.gossip.gamma best",
        "gossip.gamma is best: it must be one of theory, tuned, or a number",
    ),
    "finite time on a large ring": (
        "run --algorithm.gossip finite_time --peers 40",
        "gossip is finite_time: it must have a W with at most 12 distinct eigenvalues.*choose the gossip chebyshev",
    ),
    "chebyshev on a schedule": (
        "run --algorithm.gossip chebyshev --topology one_peer_exponential",
        "gossip is chebyshev.*changes from round to round; choose the gossip plain",
    ),
    "choco on a schedule": (
        "run --algorithm.gossip choco --topology base",
        "gossip is choco.*changes from round to round; choose the gossip deep_squeeze, or plain",
    ),
    "a symmetric W on a directed schedule": (
        "run --algorithm D2 --topology link_failures --topology.topology directed_ring",
        "algorithm is d2: it must have one symmetric W for all rounds",
    ),
    "a symmetric W on directed links": (
        "run --algorithm Extra --algorithm.gossip push_sum --topology random_out",
        "algorithm is extra: it must have one symmetric W for all rounds, but only the columns.*push_sum",
    ),
    "flooding without directions": (
        "run --algorithm.gossip flood --algorithm.estimator coordinate_wise",
        "estimator is coordinate_wise: .*the gossip flood.*choose two_point or one_sided",
    ),
    "three candidates": ("run --algorithm FedBPT --algorithm.population 3", "algorithm.population is 3.*at least 4"),
    "no step size": ("run --algorithm BBT --algorithm.sigma 0", "algorithm.sigma is 0.0.*above 0"),
    "another covariance": (
        "run --algorithm GossipCMAES --algorithm.covariance low",
        "algorithm.covariance is low.*full, diagonal",
    ),
    "a server and peers away": (
        "run --algorithm FedBPT --topology peer_dropout --topology.p 0.2",
        "algorithm is fedbpt.*all peers in every round.*fedavg_bbt",
    ),
    "scalars of a search": ("run --algorithm GossipCMAES --algorithm.gossip flood", "algorithm is gossip_cmaes.*flood"),
    "texts all perturbed": (
        "run --objective prompt_tuning --objective.perturb 1",
        "objective.perturb is 1.0.*at least 0 and below 1",
    ),
    "half a direction": (
        "run --algorithm.estimator.directions 1.5",
        "estimator.directions is 1.5: it must be a whole number",
    ),
    "a probability of 2": ("run --topology erdos_renyi --topology.p 2", "topology.p is 2.0.*at most 1"),
    "an unknown algorithm": ("run --algorithm DFedSMA", "algorithm is DFedSMA.*dpsgd.*did you mean dfedsam"),
    "an unknown estimator": ("run --algorithm.estimator three_point", "algorithm.estimator is three_point.*two_point"),
    "an unknown option": ("run --round 3", "--round is not an option.*did you mean --rounds"),
    "an unknown option of a plug-in": (
        "run --algorithm.roh 3",
        "--algorithm.roh is not an option.*did you mean --algorithm.rho",
    ),
    "an option of a value": ("run --rounds.more 3", "--rounds.more is not an option"),
    "a word alone": ("run ring", "ring belongs to no option"),
    "no value": ("run --rounds", "rounds needs a value"),
    "no value of a plug-in's option": ("run --algorithm.rho", "algorithm.rho needs a value"),
    "another type": ("run --dtype float16", "dtype is float16.*float32, float64"),
    "another choice": ("run --algorithm.perturbation up", "algorithm.perturbation is up.*own, same, random"),
    "neither yes nor no": ("run --cosine perhaps", "cosine is perhaps: it must be true or false"),
    "a negative seed": ("run --seed -1", "seed is -1.*at least 0"),
    "no rounds between evaluations": ("run --evaluate_every 0", "evaluate_every is 0.*at least 1"),
    "a missing file": ("run --config none.yaml", "config is none.yaml.*No such file"),
    "a malformed file": ("run --config malformed.yaml", "config is malformed.yaml: it must be YAML"),
    "a file of one word": ("run --config word.yaml", "config is word.yaml.*settings by name"),
    "an unknown option in a file": ("run --config unknown.yaml", "--algorithm.roh is not an option.*did you mean"),
    "an unknown plug-in in a file": ("run --config plugin.yaml", "algorithm.gossip is pigeon.*plain"),
    "a wrong value in a file": ("run --config value.yaml", "rounds is a few: it must be a whole number"),
    "words that YAML takes for true and false": ("run --config words.yaml", r"words is \[False, True\]: .*in quotes"),
    "a folder that is there": ("run --out there", "out is there.*nothing is ever overwritten.*dfedsam resume"),
    "missing data": ("run --objective prompt_tuning --objective.data none.csv", "data is none.csv"),
    "a column that is not there": ("run --objective prompt_tuning --objective.data texts.csv", "label"),
    "a class of one example": (
        "run --objective prompt_tuning --objective.data few.csv --objective.words bad,good",
        "data has 1 example.* of the class .*at least 2",
    ),
    "a model that is not there": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.words bad,good --peers 2"
        " --objective.min_examples 1 --objective.model no/such-model",
        "model is no/such-model",
    ),
    "a template without a mask": (
        "run --objective prompt_tuning --objective.blackbox masked_lm --objective.blackbox.template {prompt}{text}",
        "objective.blackbox.template is {prompt}{text}: it must have <mask> once",
    ),
    "an unknown task": (
        "run --objective prompt_tuning --objective.blackbox causal_lm --objective.blackbox.template sst3",
        "objective.blackbox.template is sst3: it must be one of sst2, ",
    ),
    "a mode of another black box": (
        "run --objective prompt_tuning --objective.blackbox masked_lm --objective.blackbox.mode text",
        "objective.blackbox.mode",
    ),
    "pairs for a model of single texts": (
        "run --objective prompt_tuning --objective.data pairs.csv --objective.text_column a,b",
        "text_column is a,b: it must name one column: pairs of texts need a template",
    ),
    "single texts for a template of pairs": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox masked_lm"
        " --objective.blackbox.template rte",
        "text_column is text: it must name two columns",
    ),
    "a model that is no masked language model": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox masked_lm --peers 2"
        " --objective.min_examples 1 --objective.blackbox.template sst2 --objective.model gpt",
        "model is gpt: it must be of a family that AutoModelForMaskedLM supports, but is gpt2; name one of albert",
    ),
    "a black box without its path": (
        "run --objective prompt_tuning --objective.blackbox function",
        "objective.blackbox.path is missing: it has no default",
    ),
    "a device that there is not": (
        "run --objective prompt_tuning --objective.blackbox causal_lm --objective.blackbox.device gpu",
        "objective.blackbox.device is gpu: it must be auto, cpu, cuda",
    ),
    "texts for a model of images": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox image_text",
        "text_column is text: it must hold images: it holds texts, and the blackbox image_text takes",
    ),
    "a folder of no images": (
        "run --objective prompt_tuning --objective.data there --objective.blackbox image_text",
        "data is there: it must hold a folder of images per class",
    ),
    "a drawing of no classes": ("run --draw-split split.png", "draw_split is split.png.*Quadratic"),
    "no run to resume": ("resume there", "there: must be a run's folder, but it has no config.yaml"),
    "nothing to resume": ("resume", "folder is missing"),
    "another setting on resuming": (
        "resume there --algorithm.lr 3",
        "--algorithm.lr is not an option: there are folder, rounds",
    ),
    "no graph": ("topology", "topology is missing"),
    "an option of run": ("topology ring --rounds 3", "--rounds is not an option: there are names, list, peers"),
    "no steps": ("topology ring --steps 0", "steps is 0.*at least 1"),
    "no runs": ("plot", "folders is missing"),
    "no run to plot": ("plot there", "there"),
    "no run to export": ("export there --out a", "folder is there: it must be a run's folder"),
    "nowhere to export to": ("export there", "out is missing"),
    "a folder to export to that is there": ("export there --out there", "out is there.*never overwritten"),
    "an option of export": ("export there --to a", "--to is not an option: there are folder, out"),
    "too few samples": (
        "run --algorithm.estimator policy_gradient --algorithm.estimator.samples 1",
        "algorithm.estimator.samples is 1.*at least 2",
    ),
    "no discrete prompts to draw": (
        "run --algorithm.estimator policy_gradient",
        "estimator is policy_gradient: it needs discrete prompts.*discrete_prompt",
    ),
    "gains of a server's algorithm": ("run --algorithm FedBBPT --algorithm.a 0", "algorithm.a is 0.0.*above 0"),
    "a form of no distribution": (
        "run --objective prompt_tuning --objective.parameters discrete_prompt --objective.parameters.form odds",
        "objective.parameters.form is odds: it must be one of probabilities, logits",
    ),
    "a rate of nothing": (
        "run --objective prompt_tuning --objective.blackbox endpoint --objective.blackbox.requests_per_minute 0",
        "objective.blackbox.requests_per_minute is 0.0: it must be a finite number above 0",
    ),
    "a price that is no number": ("plan --price-input free", "price_input is free: it must be a number"),
    "a price with its currency": ("plan --price-output 2EUR", "price_output is 2EUR: it must be a number"),
    "a GGUF file of no known architecture": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox causal_lm --peers 2"
        " --objective.min_examples 1 --objective.model odd.gguf --objective.words bad,good --quiet",
        "model is odd.gguf: it must be of an architecture that transformers reads from GGUF files .*name a folder",
    ),
    "label words that begin alike": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox endpoint --peers 2"
        " --objective.min_examples 1 --objective.model tokens --objective.prompt a"
        " --objective.words good_film,good_line --quiet",
        "words is good_film, good_line: it must differ in their first token, but good_film and good_line both begin "
        "with good; choose other words; an endpoint can score whole_words",
    ),
    "an option of the doctor": ("doctor --now", "--now is not an option"),
    "help of what is no plug-in": ("run --rounds.help", "rounds is not a plug-in"),
}
WORDS = {word: number for number, word in enumerate(["?", "a", "bad", "good", "film", "line"])}
FILES = {
    "word.graphml": "<graph",
    "off.csv": "0.5,0.5,0\n0.5,0,0.6\n0,0.5,0.5\n",
    "gone.csv": "0,0,2\n2,1,3\n1,0,1\n",
    "flat.gml": "graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 ] ]",
    "apart.edgelist": "0 1\n2 3\n",
    "malformed.yaml": "rounds: [1,\n",
    "slip.yaml": "rouds: 3\n",
    "twice.yaml": "rounds: 3\nrounds: 4\n",
    "tag.yaml": "rounds: !!timestamp x\n",
    "null.json": "null",
    "word.yaml": "rounds\n",
    "unknown.yaml": "algorithm: {class_path: DFedSAM, init_args: {roh: 3}}\n",
    "plugin.yaml": "algorithm: {class_path: DFedSAM, init_args: {gossip: pigeon}}\n",
    "value.yaml": "rounds: a few\n",
    "words.yaml": "objective: {class_path: prompt_tuning, init_args: {words: [no, yes]}}\n",
    "texts.csv": "text,kind\na good film,1\na bad film,0\n",
    "there/note.txt": "mine\n",
    "few.csv": "text,label\n" + "a bad film,0\n" * 9 + "a good film,1\n",
    "pairs.csv": "a,b,label\n" + "bad,film,0\ngood,film,1\n" * 9,
    "gpt/config.json": '{"model_type": "gpt2"}',
    "odd.gguf": "GGUF\x03\0\0\0" + "\0" * 8 + "\1" + "\0" * 7 + "\x14" + "\0" * 7 + "general.architecture"
    "\x08\0\0\0\6" + "\0" * 7 + "mamba9",
    "tokens/config.json": '{"model_type": "gpt2"}',
    "tokens/tokenizer_config.json": '{"tokenizer_class": "PreTrainedTokenizerFast"}',
    "tokens/tokenizer.json": json.dumps(
        {
            "version": "1.0",
            "added_tokens": [],
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "normalizer": {"type": "Replace", "pattern": {"String": "_"}, "content": " "},
            "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "?"},
        }
    ),
    "enough.csv": "text,label\n" + "a bad film,0\na good film,1\n" * 9,
}


@pytest.mark.parametrize(("line", "pattern"), CASES.values(), ids=CASES)
def test_one_line_and_nothing_written(dfedsam, line, pattern):
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    said = dfedsam(*line.split())
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert re.search(pattern, said.err), said.err
    assert said.out == ""
    assert {str(path) for path in Path().rglob("*") if path.is_file()} == set(FILES)
    assert not Path("runs").exists()


ASKED = (
    "run --objective prompt_tuning --objective.data enough.csv --objective.words bad,good --objective.min_examples 1"
    " --objective.model tokens --objective.prompt a --objective.parameters discrete_prompt --peers 2 --quiet"
    " --algorithm.estimator policy_gradient --objective.blackbox endpoint"
)
REFUSALS = {
    "a chat template that the model lacks": (
        "chat", 400, '{"error": "default chat template is no longer allowed, so you must provide a chat template"}',
        "its model has no chat template: choose the protocol completions",
    ),
    "log-probabilities refused at any size": (
        "chat", 400, '{"error": "top_logprobs is not supported"}', "choose the protocol labels",
    ),
    "a service without log-probabilities": (
        "completions", 200, '{"choices": [{"text": "good"}]}',
        "no logprobs of a next token.*choose the protocol labels",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("protocol", "status", "answer", "pattern"), REFUSALS.values(), ids=REFUSALS)
def test_a_service_that_refuses(dfedsam, monkeypatch, tmp_path_factory, protocol, status, answer, pattern):
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in ("enough.csv", *(name for name in FILES if name.startswith("tokens/"))):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(FILES[name])
    before = sorted(Path().rglob("*"))
    with answering(status, answer) as url:
        box = f"--objective.blackbox.url {url} --objective.blackbox.protocol {protocol} --objective.blackbox.retries 0"
        said = dfedsam(*f"{ASKED} {box} --objective.blackbox.key_variable=".split())
    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith("dfedsam run: ")
    assert re.search(pattern, said.err), said.err
    assert sorted(Path().rglob("*")) == before


@contextmanager
def answering(status, answer):
    """The address of a server that gives everyone this answer."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *args):
            """Quiet."""

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


@pytest.mark.parametrize(("damage", "pattern"), [
    (lambda folder: (folder / "checkpoint.safetensors").unlink(), "checkpoint.*does not exist"),
    (lambda folder: cut(folder / "checkpoint.safetensors"), "checkpoint.*cannot be read: it is cut short"),
    (lambda folder: (folder / "checkpoint.safetensors").write_text("mine"), "checkpoint.*cannot be read"),
    (lambda folder: other(folder / "config.yaml"), "belongs to another experiment"),
], ids=["no checkpoint", "cut short", "not ours", "another experiment"])  # fmt: skip
def test_a_run_that_cannot_go_on(dfedsam, damage, pattern):
    dfedsam("run", "--rounds", "2", "--out", "a")
    damage(Path("a"))
    before = {path: path.read_bytes() for path in Path("a").iterdir()}
    said = dfedsam("resume", "a", "--rounds", "4")
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert re.search(pattern, said.err), said.err
    assert {path: path.read_bytes() for path in Path("a").iterdir()} == before


def test_a_link_to_itself_is_no_run(dfedsam):
    Path("itself").symlink_to("itself")
    said = dfedsam("plot", "itself")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "itself: must be a run or a study" in said.err


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("options", [
    "--algorithm fedbbpt --algorithm.alpha 1e300", "--algorithm.estimator spsa --algorithm.estimator.gamma 1e5",
    "--algorithm oledfl --algorithm.beta 1e300",
])  # fmt: skip
def test_options_far_out_of_scale_end_the_run_in_one_line(dfedsam, options):
    said = dfedsam("run", *options.split(), "--rounds", "3", "--out", "a")
    assert said.status == 1
    assert "Traceback" not in said.err
    assert re.search(
        r"^dfedsam run: round \d, .*(out of range|not finite).*the last checkpoint is kept in a\n$", said.err
    )


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def other(path):
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))


def test_no_launcher(dfedsam, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    said = dfedsam("run", "--ranks", "2")
    assert said.status == 2
    assert re.fullmatch(r"dfedsam run: ranks is 2: .*mpirun is not found.*pip install mpich.*\n", said.err)


def test_a_traceback_where_it_is_asked_for(dfedsam, monkeypatch):
    monkeypatch.setenv("DFEDSAM_TRACEBACK", "1")
    assert "Traceback" in dfedsam("run", "--algorithm.rho", "-1").err
