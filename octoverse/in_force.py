"""Which statistics of a policy are in force, where the data sets of a body are kept apart."""

from collections.abc import Iterator
from contextlib import contextmanager

from octoverse.errors import BadConfig, UnknownName
from octoverse.normalize import BodyStatistics
from octoverse.policy import Policy
from octoverse.scales import Scales


def use_statistics(policy: Policy, *data_sets: str) -> None:
    """Scale every body by the statistics of one data set, for good.

    Args:
        policy: What is to act.
        data_sets: One for each body whose data sets are kept apart; none where there is no such.

    Raises:
        BadConfig: if such a body has none of them, or several.
        UnknownName: if no body has statistics of a data set of this name.
    """
    known = {name for one in policy.body_statistics.values() for name in one.apart}
    for name in data_sets:
        if name not in known:
            raise UnknownName("data set with statistics of its own", name, known)
    for body, found in dict(policy.body_statistics).items():
        chosen = [name for name in data_sets if name in found.apart]
        if not found.apart:
            continue
        if len(chosen) != 1:
            raise BadConfig(
                f"'{body}' is scaled by the statistics of one of its data sets "
                f"({', '.join(found.apart)}): expected one of them with --statistics, got "
                f"{', '.join(chosen) or 'none'}."
            )
        _scale_by(policy, body, found.apart[chosen[0]])


@contextmanager
def scaled_as(policy: Policy, body: str, data_set: str) -> Iterator[None]:
    """Scale a body as a data set was scaled in training, for a while.

    Where the body's data sets are not kept apart, nothing changes. A data set's splits
    ("bridge/train", "bridge/val") are scaled alike.

    Raises:
        BadConfig: if the policy was not trained on this data set.
    """
    before = policy.body_statistics[body], policy.scales[body]
    if before[0].apart:
        own = [name for name in before[0].apart if _stem(name) == _stem(data_set)]
        if len(own) != 1:
            raise BadConfig(
                f"Whose statistics scale '{data_set}' cannot be told: '{body}' has those of "
                f"{', '.join(before[0].apart)}. Call it as the data that it is like."
            )
        _scale_by(policy, body, before[0].apart[own[0]])
    try:
        yield
    finally:
        policy.body_statistics[body], policy.scales[body] = before


def _scale_by(policy: Policy, body: str, statistics: BodyStatistics) -> None:
    policy.body_statistics[body] = statistics
    policy.scales[body] = Scales(policy.bodies[body], statistics).to(policy.device)


def _stem(name: str) -> str:
    return name.rpartition("/")[0] or name
