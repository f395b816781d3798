"""`octoverse import`: turn the checkpoints of other projects into ours."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from octoverse import checkpoint
from octoverse.interop.octo import import_octo
from octoverse.interop.octo_policy import LANGUAGE


def octo(
    source: Annotated[
        Positional[Path],
        arg(help="An Octo checkpoint: config.json, dataset_statistics.json, a folder per step."),
    ],
    folder: Annotated[Positional[Path], arg(help="Where to write; must not exist.")],
    step: Annotated[int | None, arg(help="Which of its steps; the newest if not given.")] = None,
    embodiment: Annotated[
        str | None,
        arg(help="The body whose actions it makes; that of the data set if not given."),
    ] = None,
    data_set: Annotated[
        str | None,
        arg(help="Whose statistics scale its actions, such as bridge_dataset."),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        arg(help="A folder with the tokenizer.json of its language encoder (that of t5-base)."),
    ] = None,
) -> None:
    """Import an Octo checkpoint, without jax."""
    policy = import_octo(
        source, step=step, embodiment=embodiment, data_set=data_set, tokenizer=tokenizer
    )
    checkpoint.save(policy, folder)
    frozen = sum(one.numel() for one in policy.parameters() if not one.requires_grad)
    trained = sum(one.numel() for one in policy.parameters()) - frozen
    also = f" and {frozen / 1e6:.1f} M of its frozen language encoder" if frozen else ""
    print(
        f"{folder}: {checkpoint.load(folder).model} for {', '.join(policy.bodies)}, "
        f"{trained / 1e6:.1f} M parameters{also}."
    )
    language = policy.config.tokenizers.get(LANGUAGE)
    if language is not None and not language.vocabulary_bytes:
        told = (
            "give the folder of its tokenizer with --tokenizer"
            if language.encoder
            else "it was trained on embeddings that were made elsewhere"
        )
        print(f"It takes no instruction in words: {told}.")
