"""Import a published Octo checkpoint as a policy of ours, in PyTorch alone.

Source: Octo Model Team, "Octo: an open-source generalist robot policy", 2024; octo-models/octo.
"""

from pathlib import Path

import torch

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.errors import BadData, UnknownName
from octoverse.interop.octo_folder import OctoFolder, read_folder
from octoverse.interop.octo_parameters import fill, places
from octoverse.interop.octo_policy import LANGUAGE, body_of, policy_config
from octoverse.interop.octo_settings import read_settings
from octoverse.interop.octo_statistics import body_statistics, check_scaling, choose, numbers
from octoverse.policy import Policy
from octoverse.tokenizers.t5 import vocabulary_bytes


def import_octo(
    folder: Path | str,
    *,
    step: int | None = None,
    embodiment: str | None = None,
    data_set: str | None = None,
    tokenizer: Path | str | None = None,
) -> Policy:
    """Read an Octo checkpoint as a policy, ready to act.

    Args:
        folder: Holds config.json, dataset_statistics.json, example_batch.msgpack and the steps.
        step: Which step; the newest if not given.
        embodiment: Name of an installed body whose actions the model makes; if not given, the one
            that the data set was recorded with.
        data_set: Whose statistics scale the actions; may be left out where there is only one.
        tokenizer: A folder with the tokenizer.json of the model's language encoder. Without it the
            policy cannot read words, but takes word pieces.

    Raises:
        BadData: if a part of the folder is missing, damaged, or cannot be imported.
        UnknownName: if there is no such body.
        MissingExtra: if a package is needed that is not installed.
    """
    found = read_folder(Path(folder), step)
    settings = read_settings(found)
    check_scaling(found)
    name, statistics = choose(found, data_set)
    body = _body(found, embodiment, name)
    body = body_of(body, settings, numbers(found, statistics))
    vocabulary = _vocabulary(tokenizer)
    config = policy_config(settings, found.parameters, body, len(vocabulary))
    policy = Policy(
        config, {body.name: body}, {body.name: body_statistics(name, statistics, body.action)}
    )
    state = policy.state_dict()
    language = config.tokenizers.get(LANGUAGE)
    fill(state, places(settings, None if language is None else language.encoder), found.parameters)
    if len(vocabulary):
        state[f"tokenizers.{LANGUAGE}.vocabulary"].copy_(vocabulary)
    policy.name = f"{found.path.resolve().name}@{found.step}"
    return policy.eval()


def _body(folder: OctoFolder, embodiment: str | None, data_set: str) -> Embodiment:
    if embodiment is None:
        try:
            embodiment = registry.load("dataset", f"oxe/{data_set}").embodiment
        except UnknownName as error:
            known = ", ".join(registry.names("embodiment"))
            raise BadData(
                f"{folder.path}: expected the name of the body whose actions this model makes, "
                f"which its statistics (of '{data_set}') do not tell. Name it: --embodiment NAME, "
                f"one of {known}."
            ) from error
    body: Embodiment = registry.load("embodiment", embodiment)
    return body


def _vocabulary(folder: Path | str | None) -> torch.Tensor:
    if folder is None:
        return torch.zeros(0, dtype=torch.uint8)
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise BadData(
            f"{folder}: expected tokenizer.json, the vocabulary of the model's language encoder, "
            "found none. Give the folder that its publisher offers (for t5-base: tokenizer.json "
            "and spiece.model); one with only spiece.model can be turned into it by loading and "
            "saving it with transformers' AutoTokenizer."
        )
    return vocabulary_bytes(path.read_text())
