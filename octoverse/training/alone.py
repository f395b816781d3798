"""Train one body of a recipe by itself, on as many samples of it as training jointly takes."""

from dataclasses import replace

from octoverse.config import PolicyConfig
from octoverse.errors import UnknownName
from octoverse.training.config import Recipe


def only(config: PolicyConfig, body: str) -> PolicyConfig:
    """The part of a policy that one of its bodies uses.

    Raises:
        UnknownName: if the policy has no such body.
    """
    if body not in config.bodies:
        raise UnknownName("body of this policy", body, config.bodies)
    uses = config.bodies[body]
    return replace(
        config,
        bodies={body: uses},
        tokenizers={use.key: config.tokenizers[use.key] for use in uses.tokenizers},
        readouts={use.key: config.readouts[use.key] for use in uses.readouts},
    )


def alone(recipe: Recipe, body: str) -> Recipe:
    """The recipe with one body only: same steps and settings, its share of each batch.

    Raises:
        UnknownName: if the recipe has no such body.
    """
    policy = only(recipe.policy, body)
    weights = sum(entry.weight for entry in recipe.sources)
    mine = [entry for entry in recipe.sources if entry.source.embodiment == body]
    share = sum(entry.weight for entry in mine) / weights
    size = max(1, round(recipe.training.batch_size * share))
    return replace(
        recipe,
        name=f"{recipe.name}-{body}",
        policy=policy,
        sources=mine,
        held_out=[entry for entry in recipe.held_out if entry.source.embodiment == body],
        seen=[entry for entry in recipe.seen if entry.source.embodiment == body],
        training=replace(recipe.training, batch_size=size),
    )
