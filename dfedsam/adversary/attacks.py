"""The attacks: what attackers send to honest peers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.adversary.base import Adversary, Forged, View
from dfedsam.errors import OptionError
from dfedsam.options import option, whole_number

if TYPE_CHECKING:
    from dfedsam.random import RandomStream
    from dfedsam.topologies import Topology

_ROWS: frozenset[Forged] = frozenset({"rows"})
_BOTH: frozenset[Forged] = frozenset({"rows", "scalars"})


@dataclass(frozen=True, kw_only=True)
class Dissensus(Adversary):
    """Push each honest peer away from its honest neighbours: x_i − ε Σ_{honest j} w_ij (x_j − x_i) / b_i.

    b_i is the weight of the attackers at i. ε is the scale; 1 just undoes the honest neighbours' pull on plain gossip.
    Source: He, Karimireddy and Jaggi (2022), "Byzantine-robust decentralized learning via ClippedGossip".
    """

    forges = _ROWS

    def forge(self, view: View, scale: float) -> NDArray:
        return view.receiver_rows - scale * view.pull / view.weight[:, None].astype(view.x.dtype)


@dataclass(frozen=True, kw_only=True)
class Spectral(Adversary):
    """Push the honest peers apart where their graph is weakest: x_i + ε v_i (vᵀX), v its unit Fiedler vector.

    Source: Gaucher, Dieuleveut and Hendrikx (2025),
    "Unified breakdown analysis for Byzantine robust gossip".
    """

    forges = _ROWS

    def forge(self, view: View, scale: float) -> NDArray:
        fiedler, receivers = view.attackers.fiedler, np.asarray(view.communicator.block)[view.receivers]
        return view.receiver_rows + scale * fiedler[receivers, None] * view.projection(fiedler)


@dataclass(frozen=True, kw_only=True)
class ALIE(Adversary):
    """A little is enough: mean − c z₀ · standard deviation of the honest peers' rows, coordinate by coordinate.

    z₀ = Φ⁻¹((n − m − s)/(n − m)) with s = ⌊n/2 + 1⌋ − m, for m attackers of n peers, is the largest shift that still
    hides among the honest ones. Source: Baruch, Baruch and Goldberg (2019), "A little is enough: circumventing defenses
    for distributed learning". c is the scale; a line search tries c standard deviations, since z₀ may be 0.
    """

    public_name = "alie"

    def note(self, attackers: NDArray[np.bool_]) -> str | None:
        shift, count = hidden_shift(attackers), int(attackers.sum())
        if self.line_search or shift > 0:
            return None
        few = f"with {count} of {len(attackers)} peers alie's z₀ is {shift:.2g}, so that what it sends is no attack"
        return f"{few}; more attackers or line_search make it one"

    def forge(self, view: View, scale: float) -> NDArray:
        shift = 1.0 if self.line_search else hidden_shift(view.attackers.mask)
        row = view.mean - scale * shift * view.deviation
        return np.broadcast_to(row, view.sent.shape)

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        honest = scalars[~attackers].astype(np.float64)
        return honest.mean(axis=0) - self.strength * hidden_shift(attackers) * honest.std(axis=0)


@dataclass(frozen=True, kw_only=True)
class IPM(Adversary):
    """Inner product manipulation, also called fall of empires: −ε · mean of the honest peers' rows. ε is the scale.

    Source: Xie, Koyejo and Gupta (2020), "Fall of empires: breaking Byzantine-tolerant SGD by inner product
    manipulation".
    """

    public_name = "ipm"
    usual_scale = 0.1

    def forge(self, view: View, scale: float) -> NDArray:
        return np.broadcast_to(-scale * view.mean, view.sent.shape)

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        return -self.strength * scalars[~attackers].mean(axis=0, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class SignFlip(Adversary):
    """Minus c times what an honest peer would send in the attacker's place. c is the scale."""

    def forge(self, view: View, scale: float) -> NDArray:
        return -scale * view.sent

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        return -self.strength * scalars[attackers]


@dataclass(frozen=True, kw_only=True)
class RandomNoise(Adversary):
    """Normal numbers of standard deviation c, new in each gossip step, the same for all of an attacker's neighbours."""

    def forge(self, view: View, scale: float) -> NDArray:
        peers = np.unique(view.senders)
        noise = replace(view.stream, purpose=f"{view.stream.purpose}: attack", peers=peers)
        rows = noise.normal((view.x.shape[1],), view.x.dtype) if len(peers) else view.sent
        return scale * rows[np.searchsorted(peers, view.senders)]

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        return self.strength * stream.normal((scalars.shape[1],), scalars.dtype)


@dataclass(frozen=True, kw_only=True)
class ConstantAttack(Adversary):
    """The number c in every entry."""

    public_name = "constant"

    def forge(self, view: View, scale: float) -> NDArray:
        return np.full_like(view.sent, scale)

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        return np.array(self.strength)


@dataclass(frozen=True, kw_only=True)
class LabelFlip(Adversary):
    """Honest messages of peers that train on flipped labels: class c of C becomes C − 1 − c. There is no scale."""

    flips_labels = True

    def forge(self, view: View, scale: float) -> NDArray:
        return view.sent

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        return scalars[attackers]


@dataclass(frozen=True, kw_only=True)
class Mimic(Adversary):
    """Repeat what one honest peer sends, so that it counts too much where peers differ. There is no scale.

    Source: Karimireddy, He and Jaggi (2022), "Byzantine-robust learning on heterogeneous datasets via bucketing".

    Args:
        target: that honest peer's number; −1: the first honest one.
    """

    target: int = option(-1, whole_number, -1)

    def attackers(self, topology: Topology, seed: int) -> NDArray[np.bool_]:
        mask = super().attackers(topology, seed)
        if self.target >= len(mask) or (self.target >= 0 and mask[self.target]):
            raise OptionError("target", self.target, "must be the number of an honest peer", "-1 is the first")
        return mask

    def forge(self, view: View, scale: float) -> NDArray:
        one = np.zeros(len(view.attackers.mask))
        one[self._target(view.attackers.mask)] = 1
        return np.broadcast_to(view.projection(one), view.sent.shape)

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        return scalars[self._target(attackers)]

    def _target(self, attackers: NDArray[np.bool_]) -> int:
        return self.target if self.target >= 0 else int(np.argmin(attackers))


@dataclass(frozen=True, kw_only=True)
class Silent(Adversary):
    """Nothing: each neighbour keeps its own row in place of the message, and a flood gets zeros. There is no scale."""

    def forge(self, view: View, scale: float) -> NDArray:
        return view.receiver_rows

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        return np.zeros(1)


def hidden_shift(attackers: NDArray[np.bool_]) -> float:
    """z₀ of ALIE; 3 where attackers are so many that any shift would hide."""
    n, m = len(attackers), int(attackers.sum())
    share = (n - m - (n // 2 + 1 - m)) / (n - m)
    return NormalDist().inv_cdf(share) if share < 1 else 3.0
