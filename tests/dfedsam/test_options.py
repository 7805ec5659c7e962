"""Fields with rules: checked when they are made, also where a subclass changes a default, and in any mixture."""

from dataclasses import dataclass, fields, replace

import pytest

from dfedsam import DPSGD, DFedAdam, Experiment, PromptTuning, TwoPoint
from dfedsam.blackbox import CausalLMConfig, EndpointConfig, MaskedLMConfig
from dfedsam.clock import Clock, RateLimits
from dfedsam.errors import OptionError
from dfedsam.options import Options, between, option, positive, whole_number
from dfedsam.topologies import make


@dataclass(frozen=True, kw_only=True)
class Steps(Options):
    steps: int = option(5, whole_number, 1, most=9)
    rate: float | None = option(None, positive, "omit it")


@dataclass(frozen=True, kw_only=True)
class Share(Options):
    share: float = option(0.5, between, 0, 1, open_high=True)


@dataclass(frozen=True, kw_only=True)
class Both(Share, Steps):
    steps: int = 7
    rate: float = option(1.0, between, 0.5, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share * self.steps > 6:
            raise OptionError("share", self.share, "must be smaller")


def test_values_and_defaults_are_plain_fields():
    assert [(one.name, one.default) for one in fields(Both)] == [("steps", 7), ("rate", 1.0), ("share", 0.5)]
    assert Steps() == Steps(steps=5, rate=None)
    assert replace(Both(), steps=2).steps == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Steps(steps=0), "steps is 0: it must be a whole number of at least 1"),
        (lambda: Both(steps=10), "steps is 10: it must be a whole number of at most 9"),
        (lambda: Steps(rate=0), "rate is 0: it must be a finite number above 0; omit it"),
        (lambda: Both(rate=0.1), "rate is 0.1: it must be at least 0.5 and at most 2"),
        (lambda: Both(rate=None), "rate is None: it must be at least 0.5 and at most 2"),
        (lambda: Both(share=1), "share is 1: it must be at least 0 and below 1"),
        (lambda: Both(share=0.9), "share is 0.9: it must be smaller"),
        (lambda: DPSGD(local_steps=0), "local_steps is 0: it must be a whole number of at least 1"),
        (lambda: DFedAdam(beta2=1), "beta2 is 1: it must be at least 0 and below 1"),
        (lambda: DFedAdam(lr=-1), "lr is -1: it must be a finite number above 0"),
    ],
)
def test_a_value_against_its_rule_is_named(make, message):
    with pytest.raises(OptionError) as caught:
        make()
    assert str(caught.value) == message


def test_names_become_plug_ins():
    assert DPSGD(estimator="two_point").estimator == TwoPoint()


def test_only_options_that_change_no_result_may_differ_between_the_parts_of_a_run():
    def digest(**options):
        objective = PromptTuning(blackbox=options.pop("blackbox", MaskedLMConfig()))
        return Experiment(objective=objective, topology=make("ring", 4), algorithm=DPSGD(), **options).digest()

    def limited(requests):
        return Clock(compute=RateLimits(requests_per_minute=requests))

    same = [MaskedLMConfig(), MaskedLMConfig(device="cpu")], [CausalLMConfig(), CausalLMConfig(cache=0.0, device="cpu")]
    for first, second in (*same, (EndpointConfig(), EndpointConfig(in_flight=1, requests_per_minute=3.0))):
        assert digest(blackbox=first) == digest(blackbox=second)
    assert digest(blackbox=EndpointConfig()) != digest(blackbox=EndpointConfig(samples=2))
    assert digest(clock=limited(600.0)) == digest(clock=limited(600.0)) != digest(clock=limited(60.0))
