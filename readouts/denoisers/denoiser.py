"""What a denoiser is: it reads a noised chunk, its time and what the trunk says, and predicts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Condition:
    """The trunk's words that a denoiser is conditioned on."""

    words: Float[Tensor, "b n d"]
    valid: Bool[Tensor, "b n"]

    def repeat(self, samples: int) -> "Condition":
        """The same for `samples` chunks of each observation, (b * samples, n, d)."""
        if samples == 1:
            return self
        return Condition(
            self.words.repeat_interleave(samples, 0), self.valid.repeat_interleave(samples, 0)
        )


@runtime_checkable
class Denoiser(Protocol):
    """Predicts noise, chunk or velocity, (b, h, a), whichever it is trained for."""

    def __call__(
        self, noised: Float[Tensor, "b h a"], time: Int[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b h a"]:
        """Predict for chunks that each have a time of their own."""
        ...

    def along(self, times: Int[Tensor, " s"], condition: Condition) -> Callable[..., Tensor]:
        """The same network for a loop over `times`, all that the loop does not change done before.

        Returns:
            A function of the noised chunks (b, h, a) and the number of the step, 0 to s - 1.
        """
        ...
