"""Evolution of text prompts: peers edit candidates, keep the best, and send their best to their neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.blackbox.editor import Draft, Editor
from dfedsam.context import Oracle, RoundContext
from dfedsam.errors import BudgetExceeded, OptionError, RunError
from dfedsam.gossip.inbox import Inbox
from dfedsam.objectives.base import Problem
from dfedsam.objectives.categorical import Categorical
from dfedsam.options import option, whole_number
from dfedsam.random import RandomStream
from dfedsam.state import rows_of, set_rows

if TYPE_CHECKING:
    from dfedsam.blackbox.base import Bill

_KINDS = 5  # of edits: replace, insert, delete, swap, and cross with another prompt of the population
_READ = 10_000  # characters of an editor's answer
_COUNTS = ("editor_requests", "editor_tokens", "editor_unused")


@dataclass(kw_only=True)
class Population:
    """The prompts of p peers, the best first.

    Args:
        tokens: numbers of the candidates, shape (p, population, tokens).
        losses: the mean of each prompt's losses so far, shape (p, population).
        counts: how many these are, shape (p, population).
    """

    tokens: NDArray[np.int64]
    losses: NDArray[np.float64]
    counts: NDArray[np.int64]

    def ordered(self, order: NDArray[np.intp]) -> Population:
        """The prompts in this order, shape (p, k)."""
        tokens = np.take_along_axis(self.tokens, order[..., None], axis=1)
        losses = np.take_along_axis(self.losses, order, axis=1)
        return Population(tokens=tokens, losses=losses, counts=np.take_along_axis(self.counts, order, axis=1))


@dataclass(kw_only=True)
class TextEvolutionState(State):
    """x is each peer's best prompt as a choice of candidates.

    Args:
        population: all prompts.
        editor: what each peer has asked the editor so far, as _COUNTS, shape (peers, 3); None without an editor.
    """

    population: Population
    editor: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True)
class TextEvolution(Algorithm):
    """A small population of prompts at each peer, for losses or labels of discrete prompts; needs no estimates.

    A local step makes `children` by one random edit each of a random prompt: a token is replaced, inserted (the last
    one is dropped), deleted (a random one is added at the end) or swapped with another, or the prompt is crossed with
    another of the population token by token. All are scored on one minibatch, and the `population` prompts with the
    lowest mean of their losses so far stay. Then each peer sends its best prompt along all edges, counted as a text in
    UTF-8; simulated time counts the longest possible text, since it must not depend on losses. Prompts of `exchange`
    random neighbours take the places of a peer's worst, to be scored and crossed with its own. A round costs
    local_steps · (population + children) queries.

    An editor writes some of the children: it is asked to rewrite a random prompt. The words of its answer that are
    candidates are the child, repeated and cut to the prompt's length. Where none is, or they say the same again, the
    random edit stays, and the answer counts as unused. Its requests, and the tokens sent, are counted as
    `editor_requests` and `editor_tokens` of a peer, apart from queries.

    Source: the edits are those of Prasad et al. (2023), "GrIPS: gradient-free, edit-based instruction search for
    prompting large language models", of tokens in place of phrases, and crossover, as in Guo et al. (2024), "Connecting
    large language models with evolutionary algorithms yields powerful prompt optimizers"; the exchange is ours.

    Args:
        local_steps: K, local steps of a round, at least 1.
        population: prompts that a peer keeps, at least 2.
        children: prompts made in a local step, at least 1.
        exchange: neighbours' prompts that a peer takes up in a round, at least 1 and below `population`.
        editor: a language model that rewrites prompts; it needs an address and a name: --algorithm.editor.url and
            --algorithm.editor.model.
    """

    mixes = "the best prompt of each peer"
    adds_gradient_steps = False

    local_steps: int = option(4, whole_number, 1)
    population: int = option(6, whole_number, 2)
    children: int = option(10, whole_number, 1)
    exchange: int = option(2, whole_number, 1)
    editor: Editor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.exchange >= self.population:
            raise OptionError("exchange", self.exchange, f"must be below population, which is {self.population}")
        if self.editor is not None and self.editor.rewrites > self.children:
            rule = f"must be at most children, which is {self.children}"
            raise OptionError("editor.rewrites", self.editor.rewrites, rule)

    def check_problem(self, problem: Problem) -> None:
        if problem.categorical is None:
            rule = "needs prompts of tokens, but this objective has none"
            hint = "choose the objective hidden_prompt, or prompt_tuning with the parameters discrete_prompt"
            raise OptionError("algorithm", "text_evolution", rule, hint)
        if self.editor is not None:
            words = problem.categorical.wording
            first = words.text(np.arange(problem.categorical.tokens) % problem.categorical.candidates)
            try:
                self.editor.rewrite([Draft(first.strip(), first.strip(), 0)], words.length)
            except RunError as error:
                raise ValueError(str(error)) from None

    @property
    def has_budget(self) -> bool:
        return self.editor is not None and self.editor.has_budget

    def rehearsed(self, bill: Bill) -> TextEvolution:
        return self if self.editor is None else replace(self, editor=self.editor.rehearsed(bill))

    def peer_counts(self, state: TextEvolutionState) -> dict[str, NDArray]:
        return {} if state.editor is None else dict(zip(_COUNTS, state.editor.T, strict=True))

    def init(self, x: NDArray, problem: Problem) -> TextEvolutionState:
        """All prompts are of the candidates number 0; round 0 draws others."""
        choices = problem.categorical
        assert choices is not None  # as `check_problem` has made sure
        shape = (len(x), self.population)
        tokens = np.zeros((*shape, choices.tokens), np.int64)
        return TextEvolutionState(
            x=x,
            population=Population(tokens=tokens, losses=np.zeros(shape), counts=np.zeros(shape, np.int64)),
            editor=None if self.editor is None else np.zeros((len(x), len(_COUNTS)), np.int64),
        )

    def round(self, state: TextEvolutionState, context: RoundContext) -> TextEvolutionState:
        choices, population = context.problem.categorical, state.population
        assert choices is not None
        for rows, chunk in context.chunks(self.population + self.children, state.x[0].nbytes):
            members = rows_of(population, rows)
            if context.round == 0:
                first = chunk.oracle(0).random("first prompts").uniform(members.tokens.shape[1:])
                members.tokens = (first * choices.candidates).astype(np.int64)
            for step in range(self.local_steps):
                oracle = chunk.oracle(step)
                children = edited(members.tokens, self.children, choices.candidates, oracle.random("edits"))
                if self.editor is not None and state.editor is not None:
                    state.editor[rows] += self._rewrite(self.editor, members.tokens, children, oracle)
                everyone = self._with_children(members, children)
                losses = oracle.losses(chosen(everyone.tokens, choices, state.x.dtype))
                everyone.counts += 1
                everyone.losses += (losses - everyone.losses) / everyone.counts
                members = everyone.ordered(np.argsort(everyone.losses, axis=1, kind="stable")[:, : self.population])
            set_rows(population, rows, members)
            state.x[rows] = chosen(members.tokens[:, 0], choices, state.x.dtype)
        self._exchange(population, context, state.x, choices)
        return state

    def _rewrite(self, editor: Editor, tokens: NDArray, children: NDArray, oracle: Oracle) -> NDArray[np.int64]:
        """Put the editor's prompts in the places of the first children, in place; returns _COUNTS, shape (p, 3)."""
        counts, problem, choices = np.zeros((len(tokens), 3), np.int64), oracle.problem, oracle.problem.categorical
        if choices is None or problem.budget_exhausted:
            return counts
        uniform, words = oracle.random("rewrites").uniform((editor.rewrites, 3)), choices.wording
        parents, mates = np.moveaxis((uniform[..., :2] * tokens.shape[1]).astype(np.int64), -1, 0)
        places = list(np.ndindex(parents.shape))
        drafts = [
            Draft(words.text(tokens[at[0], parents[at]]).strip(), words.text(tokens[at[0], mates[at]]).strip(), seed)
            for at, seed in zip(places, (uniform[..., 2] * 2**31).astype(np.int64).ravel().tolist(), strict=True)
        ]
        try:
            answers = editor.rewrite(drafts, words.length)
        except BudgetExceeded as error:
            problem.budget_exhausted = str(error)
            return counts
        for at, draft, answer in zip(places, drafts, answers, strict=True):
            parent, new_tokens = tokens[at[0], parents[at]], words.candidates(answer[:_READ])
            child = np.resize(new_tokens, choices.tokens) if new_tokens else parent
            new = bool((child != parent).any())
            if new:
                children[at] = child
            counts[at[0]] += 1, editor.tokens(draft, words.length), not new
        return counts

    @staticmethod
    def _with_children(members: Population, children: NDArray[np.int64]) -> Population:
        shape = children.shape[:2]
        return Population(
            tokens=np.concatenate([members.tokens, children], axis=1),
            losses=np.concatenate([members.losses, np.zeros(shape)], axis=1),
            counts=np.concatenate([members.counts, np.zeros(shape, np.int64)], axis=1),
        )

    def _exchange(self, population: Population, context: RoundContext, x: NDArray, choices: Categorical) -> None:
        """Send the best prompts, and put those of some neighbours in the places of the worst, in place."""
        channel = context.channel(x)
        places = channel.stream.uniform((1,))[:, 0]
        kind = np.uint16 if choices.candidates <= 1 << 16 else np.uint32

        def rule(inbox: Inbox) -> NDArray:
            degrees = np.diff(inbox.indptr)
            for slot in range(self.exchange):
                takes = np.flatnonzero(degrees > slot)
                edge = inbox.indptr[takes] + ((places * degrees).astype(np.int64)[takes] + slot) % degrees[takes]
                population.tokens[takes, -1 - slot] = inbox.rows[inbox.columns[edge]]
                population.losses[takes, -1 - slot] = population.counts[takes, -1 - slot] = 0
            return inbox.x

        best = np.ascontiguousarray(population.tokens[:, 0], dtype=kind)
        texts, which = np.unique(best, axis=0, return_inverse=True)
        sizes = np.array([len(choices.wording.text(text).encode()) for text in texts])
        channel.aggregate(best, rule, sizes[which.ravel()], choices.longest)


def chosen(tokens: NDArray[np.int64], choices: Categorical, dtype: np.dtype) -> NDArray:
    """Prompts (…, tokens) as choices of candidates (…, tokens · candidates)."""
    return (tokens[..., None] == np.arange(choices.candidates)).reshape(*tokens.shape[:-1], -1).astype(dtype)


def edited(tokens: NDArray[np.int64], children: int, candidates: int, stream: RandomStream) -> NDArray[np.int64]:
    """Random edits of random prompts.

    Args:
        tokens: prompts, shape (p, population, tokens).
        children: number of edited prompts.
        candidates: number of tokens to choose from.
        stream: random numbers, a row for each of the p peers.

    Returns:
        Shape (p, children, tokens).
    """
    size, length = tokens.shape[1:]
    uniform = stream.uniform((children, 6 + length))
    scales = np.array([size, size, _KINDS, length, length, candidates])
    parent, mate, kind, at, other, token = np.moveaxis((uniform[..., :6] * scales).astype(np.int64), -1, 0)[..., None]
    rows, places = np.arange(len(tokens))[:, None], np.arange(length)
    inserts = places - (places > at)
    deletes = np.minimum(places + (places >= at), length - 1)
    swaps = np.where(places == at, other, np.where(places == other, at, places))
    source = np.choose(kind, [np.broadcast_to(places, swaps.shape), inserts, deletes, swaps, swaps])
    child = np.take_along_axis(tokens[rows, parent[..., 0]], source, axis=-1)
    new = (kind < 3) & (places == np.where(kind == 2, length - 1, at))
    child = np.where(new, token, child)
    crossed = np.where(uniform[..., 6:] < 0.5, tokens[rows, parent[..., 0]], tokens[rows, mate[..., 0]])
    return np.where(kind == _KINDS - 1, crossed, child)
