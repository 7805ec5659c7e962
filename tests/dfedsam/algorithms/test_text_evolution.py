"""Text evolution finds a hidden prompt through noise at every peer; its edits, bytes and queries are what it says."""

import numpy as np
import pytest

from dfedsam import Clock, HiddenPrompt, Quadratic, TextEvolution, simulate, topologies
from dfedsam.algorithms.text_evolution import edited
from dfedsam.random import RandomStream

PEERS, TOKENS = 8, 8
HIDDEN = HiddenPrompt(tokens=TOKENS, candidates=20, noise=0.3)


def test_every_peer_holds_the_hidden_prompt_in_the_end() -> None:
    method = TextEvolution()
    ring = topologies.make("ring", PEERS)
    done = simulate(objective=HIDDEN, topology=ring, algorithm=method, rounds=40, evaluate_every=2)
    last = done.rows[-1]
    problem = HIDDEN.build(PEERS, range(PEERS), 0, np.float32)
    expected = (np.arange(20) == problem.hidden[:, None]).ravel()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(done.x, np.tile(expected, (PEERS, 1)))
    assert (last["loss"], last["wrong"], last["agreement"]) == (0, 0, 1)
    assert done.rows[1]["agreement"] < 1
    assert last["queries"] == 40 * method.local_steps * (method.population + method.children)


def test_bytes_are_those_of_the_texts() -> None:
    star = topologies.make("star", PEERS)
    done = simulate(objective=HIDDEN, topology=star, algorithm=TextEvolution(), rounds=1)
    best = done.x.reshape(PEERS, TOKENS, 20).argmax(axis=-1)  # what was sent last
    sizes = [len(" ".join(map(str, tokens)).encode()) for tokens in best]
    assert len(set(sizes)) > 1
    assert done.rows[-1]["bytes"] == np.dot([PEERS - 1, *[1] * (PEERS - 1)], sizes) / PEERS
    clocked = simulate(objective=HIDDEN, topology=star, algorithm=TextEvolution(), rounds=1, clock=Clock())
    assert clocked.rows[-1]["bytes"] == done.rows[-1]["bytes"]


def test_alone_it_takes_longer_than_with_neighbours() -> None:
    alone, together = (
        simulate(objective=HIDDEN, topology=topologies.make(kind, PEERS), algorithm=TextEvolution(), rounds=4)
        for kind in ("ring", "complete")
    )
    assert together.rows[-1]["loss"] < alone.rows[-1]["loss"]


def test_an_edit_changes_what_it_says() -> None:
    length, candidates = 6, 50
    tokens = np.tile(np.arange(length), (3, 2, 1))
    tokens[:, 1] += 10
    children = edited(tokens, 400, candidates, RandomStream(0, "edits", 0, 0, range(3)))
    assert children.shape == (3, 400, length)
    kinds = set()
    for child in children.reshape(-1, length):
        for kind in range(2):  # of which parent
            parent = (np.arange(length) + 10 * kind).tolist()
            own = child.tolist()
            if sum(a != b for a, b in zip(own, parent, strict=True)) == 1:
                kinds.add("replace")
            if sorted(own) == sorted(parent) and own != parent:
                kinds.add("swap")
            for at in range(length):
                if own[:at] == parent[:at] and own[at + 1 :] == parent[at:-1]:
                    kinds.add("insert")
                if own[:at] == parent[:at] and own[at:-1] == parent[at + 1 :]:
                    kinds.add("delete")
        if {token % 10 for token in child} == set(range(length)) and len({token // 10 for token in child}) == 2:
            kinds.add("cross")
    assert kinds == {"replace", "swap", "insert", "delete", "cross"}
    assert children.min() >= 0
    assert children.max() < candidates


def test_it_needs_tokens_and_room_for_neighbours() -> None:
    with pytest.raises(ValueError, match="algorithm is text_evolution: it needs prompts of tokens"):
        simulate(objective=Quadratic(), topology=topologies.make("ring", 3), algorithm=TextEvolution(), rounds=1)
    with pytest.raises(ValueError, match="exchange is 6: it must be below population, which is 6"):
        TextEvolution(exchange=6)
