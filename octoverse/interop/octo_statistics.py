"""Octo's dataset_statistics.json as the statistics of a body.

Octo scales every number that its mask does not leave alone to mean 0 and deviation 1, and clips at
five deviations; a gripper's opening is left alone, 1 = open.
Source: octo-models/octo, octo/data/utils/data_utils.py (normalize_action_and_proprio).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from octoverse.embodiment import ActionGroup
from octoverse.errors import BadData
from octoverse.interop.octo_folder import OctoFolder
from octoverse.normalize import BodyStatistics, Statistics

_REACH = 5.0
"""Deviations from the mean beyond which no action was ever shown to a model."""


def choose(folder: OctoFolder, data_set: str | None) -> tuple[str, Mapping[str, Any]]:
    """The statistics of one data set, and its name.

    Args:
        folder: The checkpoint.
        data_set: Its name; may be left out where there is only one.

    Raises:
        BadData: if there is no such data set, or several and none is named.
    """
    path, found = folder.path / "dataset_statistics.json", folder.statistics
    if "action" in found:
        if data_set is not None:
            raise BadData(
                f"{path}: expected statistics by data set, to choose '{data_set}' from, got those "
                "of one data set without a name. Leave --data-set out."
            )
        return "", found
    names = ", ".join(sorted(found)) or "none"
    if data_set is None and len(found) == 1:
        data_set = next(iter(found))
    if data_set is None:
        raise BadData(
            f"{path}: it has the statistics of several data sets, and the policy scales its "
            f"actions by those of one. Name it with --data-set: {names}."
        )
    if data_set not in found or "action" not in found[data_set]:
        raise BadData(
            f"{path}: expected the statistics of the actions of '{data_set}', found those of: "
            f"{names}."
        )
    return data_set, found[data_set]


def check_scaling(folder: OctoFolder) -> None:
    """Refuse a model whose actions are scaled otherwise than to mean 0 and deviation 1.

    Raises:
        BadData: if its training said so.
    """
    name = "action_proprio_normalization_type"
    told = {str(value) for value in _all_named(folder.config, name)} - {"normal"}
    if told:
        raise BadData(
            f"{folder.path / 'config.json'}: expected {name} normal, got "
            f"{', '.join(sorted(told))}. Only models whose actions are scaled to mean 0 and "
            "deviation 1 can be imported."
        )


def _all_named(tree: Any, name: str) -> Iterator[Any]:
    """Every value of this name, however deep."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key == name:
                yield value
            else:
                yield from _all_named(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from _all_named(value, name)


def numbers(folder: OctoFolder, chosen: Mapping[str, Any]) -> int:
    """How many numbers an action of one data set has.

    Raises:
        BadData: if its statistics do not scale them.
    """
    told = chosen["action"]
    if not {"mean", "std"} <= set(told) or len(told["mean"]) != len(told["std"]):
        raise BadData(
            f"{folder.path / 'dataset_statistics.json'}: expected mean and std of every number of "
            f"an action, got {', '.join(sorted(told)) or 'nothing'}. Fetch the folder again."
        )
    return len(told["mean"])


def body_statistics(
    name: str, chosen: Mapping[str, Any], action: Mapping[str, ActionGroup]
) -> BodyStatistics:
    """The statistics of a body's action groups, which lie side by side in Octo's actions.

    Args:
        name: Of the data set.
        chosen: Its statistics.
        action: The groups; together they have just its numbers.
    """
    told = {key: np.asarray(value) for key, value in chosen["action"].items()}
    size, mean, std = len(told["mean"]), told["mean"], told["std"]
    low = np.maximum(told.get("min", mean - _REACH * std), mean - _REACH * std)
    high = np.minimum(told.get("max", mean + _REACH * std), mean + _REACH * std)
    alone = ~told.get("mask", np.ones(size, bool)).astype(bool)
    rows: dict[str, np.ndarray] = {
        "mean": mean,
        "std": std,
        "low": np.where(alone, told.get("min", low), low),
        "high": np.where(alone, told.get("max", high), high),
        "q01": told.get("p01", low),
        "q99": told.get("p99", high),
        "alone": alone,
    }
    found, first = {}, 0
    for key, group in action.items():
        part = slice(first, first + group.size)
        found[key] = Statistics(
            count=int(np.sum(chosen.get("num_transitions", 0))),
            units=group.units,
            exact=True,
            **{column: tuple(values[part].tolist()) for column, values in rows.items()},
        )
        first += group.size
    return BodyStatistics(observation={}, action=found, of=name)
