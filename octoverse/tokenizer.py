"""What a tokenizer is: named streams in, one group of tokens out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jaxtyping import Bool
from torch import Tensor

from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True)
class StreamBatch:
    """One stream of b windows of t steps."""

    values: Any
    """(b, t, ...) tensor: uint8 images, scaled states, raw ego histories; or b strings."""
    valid: Bool[Tensor, "b t"]


class Tokenizer(Protocol):
    """Turns the streams that its config names into tokens; an nn.Module."""

    def __call__(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Make tokens; steps of which a stream is invalid give invalid tokens."""
        ...


class TokenizerConfig(Protocol):
    """Settings of a tokenizer: a frozen dataclass."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it reads, by its own names ("image", "instruction"); a body says which streams."""
        ...

    @property
    def role(self) -> Role:
        """Whether its tokens belong to the task or to each step's observation."""
        ...

    @property
    def tokens(self) -> int:
        """How many tokens n it makes in a step."""
        ...

    def build(self, width: int) -> Any:
        """Make the tokenizer for a trunk of this width d."""
        ...


def optional_inputs(config: Any) -> tuple[str, ...]:
    """Which of its inputs a body need not give: what a config calls `optional`, if it does."""
    found: tuple[str, ...] = getattr(config, "optional", ())
    return found
