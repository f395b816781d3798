"""A published system as a recipe: how it reads, computes and acts, for any bodies of its kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from octoverse.config import PolicyConfig
from octoverse.data.variation import PLAIN, Variation
from octoverse.embodiment import Embodiment
from octoverse.errors import UnknownName
from octoverse.training.config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One system; `octoverse train --recipe NAME --data FOLDER` trains it on that data's bodies."""

    name: str
    policy: Callable[[Sequence[Embodiment], str], PolicyConfig]
    """Makes the config for these bodies at one of the sizes."""
    sizes: tuple[str, ...]
    """The published size first; "tiny" is always there."""
    example: tuple[str, str]
    """Two installed bodies of its kind."""
    about: str
    """What it is, in a line."""
    variation: Variation = PLAIN
    """What is varied at random in training: goals, words, what is seen."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def config(self, bodies: Sequence[Embodiment], size: str = "") -> PolicyConfig:
        """Its policy for these bodies, of the published size unless another is named.

        Raises:
            UnknownName: if it has no such size.
            BadConfig: if a body is not of its kind.
        """
        chosen = size or self.sizes[0]
        if chosen not in self.sizes:
            raise UnknownName(f"size of '{self.name}'", chosen, self.sizes)
        return self.policy(bodies, chosen)
