"""Every numpy plug-in in a short run; executed by tests in one process and as an MPI job.

python -m tests.dfedsam.contract_cases FOLDER PLACEMENT [--resume]

writes FOLDER/rows.json and a run folder for each case.
"""

import dataclasses
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from dfedsam import (
    ADMM,
    ADPSGD,
    ADSGD,
    ALIE,
    BBT,
    D2,
    DPSGD,
    GTHSGD,
    IOS,
    KGT,
    LTADMM,
    SGP,
    SPSA,
    SSDA,
    SVRG,
    UBAR,
    A2CiD2,
    AsynchronousDFedSAM,
    CentralAverage,
    Chebyshev,
    Choco,
    CoordinateWise,
    CSPlus,
    DecentLaM,
    Decor,
    DeepSqueeze,
    DFedAdam,
    DFedADMM,
    DFedAvg,
    DFedAvgM,
    DFedCata,
    DFedSAM,
    DFedSAMMG,
    DiLoCo,
    DiNNO,
    Dissensus,
    DivShare,
    EpidemicLearning,
    Exact,
    Experiment,
    Extra,
    FedAvgBBT,
    FedBBPT,
    FedBPT,
    FiniteTime,
    Flood,
    Gaussian,
    GaussNewton,
    GossipCMAES,
    GradientTracking,
    LabelFlip,
    Lead,
    LocalOnly,
    LogisticRegression,
    MomentumTracking,
    NetworkDANE,
    NoLoCo,
    OledFL,
    OneSided,
    Plain,
    ProxSkip,
    QGDSGDm,
    Quadratic,
    RandomK,
    RandomNoise,
    ScaledSign,
    ScoreSketch,
    SecondOrder,
    TrimmedMean,
    TwoPoint,
    WangElia,
    ZipDL,
    run,
    topologies,
)
from dfedsam.clock import Clock, Daily, Exponential, PerQuery, RateLimits, TwoSpeeds, UniformLinks
from dfedsam.communication import connect
from dfedsam.registry import public_name
from tests.dfedsam.communication.cases import drawn
from tests.dfedsam.zeroth_order.linear_scores import LinearScores
from tests.results import without_clock

ALGORITHMS = [
    DPSGD(lr=0.1),
    DPSGD(lr=0.1, estimator=Exact(), weight_decay=0.1),
    DFedAvg(lr=0.05, estimator=OneSided(directions=3)),
    DFedAvgM(lr=0.02, estimator=TwoPoint(distribution="sphere")),
    DFedAvgM(lr=0.02, keep_momentum=True, lr_schedule="inverse_root", estimator=TwoPoint(distribution="gaussian")),
    DFedSAM(lr=0.05, rho=0.1),
    DFedSAM(lr=0.05, perturbation="same", lr_schedule="exponential", lr_decay=0.9, estimator=CoordinateWise()),
    DFedSAM(lr=0.05, perturbation="random"),
    DFedSAMMG(lr=0.05, gossip=Plain(steps=3)),
    LocalOnly(lr=0.05),
    CentralAverage(lr=0.05),
    DFedSAMMG(lr=0.05, gossip=Chebyshev(steps=3)),
    DPSGD(lr=0.1, gossip=SecondOrder(steps=2)),
    DPSGD(lr=0.1, gossip=FiniteTime()),
    DFedSAM(lr=0.05, gossip=Flood(steps=2)),
    SGP(lr=0.1),
    GradientTracking(lr=0.05, rho=0.1),
    MomentumTracking(lr=0.01, lr_schedule="inverse_root"),
    D2(lr=0.05),
    Extra(lr=0.05),
    QGDSGDm(lr=0.05),
    DecentLaM(lr=0.02),
    OledFL(lr=0.05, rho=0.1),
    DFedADMM(lr=0.05),
    DFedCata(lr=0.05),
    DFedAdam(lr=0.05, rho=0.1, estimator=TwoPoint()),
    DFedSAMMG(lr=0.05, gossip=Choco(gamma=0.3, steps=3)),
    GradientTracking(lr=0.05, gossip=Choco(compressor=RandomK(), gamma="theory")),
    DPSGD(lr=0.1, gossip=DeepSqueeze(compressor=ScaledSign(), steps=2)),
    Lead(lr=0.05),
    DFedAvg(lr=0.02, lr_schedule="linear", lr_rounds=4, estimator=OneSided(distribution="orthogonal", directions=15)),
    DFedSAM(lr=0.02, perturbation="momentum", momentum=0.5, lr_schedule="cosine", lr_rounds=5),
    DFedSAM(lr=0.05, perturbation="control_variate", estimator=TwoPoint(control_variate=True)),
    DFedSAMMG(lr=0.05, perturbation="last_round"),
    GradientTracking(lr=0.05, estimator=OneSided(control_variate=True)),
    BBT(population=6, sigma=0.3),
    FedAvgBBT(sigma=0.3, generations=2, covariance="diagonal"),
    FedBPT(sigma=0.3, generations=3),
    GossipCMAES(sigma=0.3, generations=2, gossip=Plain(steps=2)),
    GossipCMAES(sigma=0.3, generations=2, covariance="diagonal", gossip=Chebyshev(steps=2)),
    DFedAvg(lr=0.05, estimator=SPSA()),
    FedBBPT(a=0.05),
    WangElia(lr=0.05),
    ProxSkip(lr=0.05, probability=0.5, rho=0.1),
    GTHSGD(lr=0.05),
    KGT(lr=0.02, local_steps=2),
    DiNNO(lr=0.02, local_steps=2),
    LTADMM(lr=0.02, local_steps=2),
    DiLoCo(lr=0.05),
    NetworkDANE(lr=0.02, local_steps=2),
    SSDA(),
    ADMM(),
    NoLoCo(lr=0.05),
]
PEERS = 7


def label(plugin: Any) -> str:
    """A plug-in's public name, and the options in which it differs from its defaults."""
    changed = []
    for field in dataclasses.fields(plugin):
        value = getattr(plugin, field.name)
        if value != field.default:
            text = label(value) if dataclasses.is_dataclass(value) else str(value)
            changed.append(f"{field.name}={text}")
    return public_name(type(plugin)) + (f"({', '.join(changed)})" if changed else "")


def case(
    objective: Any, algorithm: Any, topology: str = "ring", **more: Any
) -> tuple[str, tuple[Any, str, Any, dict[str, Any]]]:
    """A case by its name; `more` are other plug-ins of the experiment."""
    name = " ".join([label(objective), topology, label(algorithm), *map(label, more.values())])
    return name, (objective, topology, algorithm, more)


PEERS = 7
SAM = DFedSAM(lr=0.05, rho=0.1)
BUSY = Daily(low=0.3, high=0.7, period=0.7, moments=7)  # peers leave and join within a few rounds
CASES = dict(
    [
        *(case(Quadratic(dim=13, noise=0.2), algorithm) for algorithm in ALGORITHMS),
        case(Quadratic(dim=13, heterogeneity=0, condition=5.0), SAM, "star"),
        case(LogisticRegression(), SAM, "erdos_renyi"),
        case(LogisticRegression(classes=2), DPSGD(lr=0.1, estimator=Exact(), weight_decay=0.1), "erdos_renyi"),
        case(LogisticRegression(features=3), GradientTracking(estimator=SVRG(period=2)), "erdos_renyi"),
        case(Quadratic(dim=13), SAM, clock=Clock(compute=PerQuery(), links=UniformLinks(latency=0.1))),
        case(Quadratic(dim=13, noise=0.2), DFedAvgM(), "teleportation", clock=Clock(compute=Exponential())),
        case(
            Quadratic(dim=13),
            DFedAvgM(lr=0.05, keep_momentum=True),
            "complete",
            clock=Clock(compute=Exponential(), availability=BUSY),
        ),
        *(
            case(Quadratic(dim=13, noise=0.2), algorithm, clock=Clock(compute=compute, availability=BUSY))
            for algorithm, compute in (
                (ADSGD(lr=0.1), RateLimits(requests_per_minute=9000, burst=30)),
                (A2CiD2(lr=0.1), Exponential()),
                (DivShare(lr=0.1, fragments=3), Exponential()),
            )
        ),
        *(
            case(Quadratic(dim=13, noise=0.2), algorithm, clock=Clock(compute=compute, links=UniformLinks(latency=0.2)))
            for algorithm, compute in (
                (ADSGD(lr=0.1), TwoSpeeds(slow=0.3, factor=5)),
                (AsynchronousDFedSAM(lr=0.05, momentum=0.5, keep_momentum=True), Exponential()),
                (ADPSGD(lr=0.1, rho=0.1), PerQuery()),
                (EpidemicLearning(lr=0.1), TwoSpeeds(slow=0.3, factor=5)),
                (A2CiD2(lr=0.1), Exponential()),
            )
        ),
        case(Quadratic(dim=13), DFedSAMMG(), "complete", clock=Clock(compute=Exponential(), wait="fastest_m", m=3)),
        case(Quadratic(dim=13), DFedSAM(gossip=CSPlus(max_attackers=2)), "complete", adversary=Dissensus(peers=[0, 5])),
        case(
            LogisticRegression(features=3), DPSGD(gossip=TrimmedMean(steps=2)), "complete", adversary=LabelFlip(peers=2)
        ),
        case(Quadratic(dim=13), DPSGD(gossip=IOS()), "random_regular", adversary=RandomNoise(where="central")),
        case(LogisticRegression(features=3), DPSGD(gossip=UBAR()), "random_regular", adversary=ALIE()),
        case(LogisticRegression(features=3), SAM, privacy=Gaussian(noise=2.0, rate=0.3)),
        case(Quadratic(dim=13), DFedSAMMG(), privacy=Decor(noise=0.1)),
        case(Quadratic(dim=13), DPSGD(), privacy=ZipDL(noise=0.1)),
        case(Quadratic(dim=13), GradientTracking(), "complete", adversary=ALIE(line_search=True)),
        case(LinearScores(), DFedSAM(lr=0.05, rho=0.1, estimator=ScoreSketch(directions=3))),
        case(LinearScores(), DFedSAM(lr=0.1, rho=0.1, estimator=GaussNewton(directions=3))),
    ]
)
assert len(CASES) == len(ALGORITHMS) + 26


def run_case(
    name: str,
    folder: Path | None,
    rounds: int,
    *,
    resume: bool = False,
    dtype: str = "float32",
    placement: str = "contiguous",
) -> list[dict]:
    """Run one case and return its rows without the clock; placement "drawn" scatters the peers over the ranks."""
    objective, graph, algorithm, more = CASES[name]
    experiment = Experiment(
        objective=objective,
        topology=topologies.make(graph, PEERS, seed=4),
        algorithm=algorithm,
        rounds=rounds,
        seed=3,
        dtype=dtype,  # pyright: ignore[reportArgumentType]
        checkpoint_every=2,
        cosine=True,
        **more,
        placement="contiguous" if placement == "drawn" else placement,  # pyright: ignore[reportArgumentType]
    )
    communicator = connect(PEERS, partial(drawn, PEERS)) if placement == "drawn" else None
    out = folder / name if folder else None
    result = run(experiment, out=out, resume=resume, communicator=communicator)
    return without_clock(result.rows)


if __name__ == "__main__":
    out, placement, resume = Path(sys.argv[1]), sys.argv[2], "--resume" in sys.argv
    everything = {name: run_case(name, out, 5 if resume else 3, resume=resume, placement=placement) for name in CASES}
    (out / "rows.json").write_text(json.dumps(everything))
