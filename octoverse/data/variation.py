"""What is varied at random in training samples besides pictures: goals, words, what is seen.

Source: Octo (octo-models/octo, 2024): goals relabelled uniformly from the future, instruction or
goal image dropped, instructions rephrased. Its mask for actions after the goal begins two steps
late; here an action counts up to the one that reaches the goal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from octoverse.errors import BadConfig


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How training samples are varied; nothing by default."""

    goal: Literal["none", "last", "uniform"] = "none"
    """Which later frame a goal image is taken from: none, the episode's last, or any later one."""
    goal_only: float = 0.0
    """Chance that a sample with a goal image has no instruction."""
    words_only: float = 0.0
    """Chance that a sample with an instruction has no goal image."""
    rephrase: float = 0.0
    """Chance that an instruction is replaced by one of its rephrasings."""
    rephrasings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Instruction to other words for the same."""
    dropout: Mapping[str, float] = field(default_factory=dict)
    """Stream, such as a state or a camera, to the chance that a sample does not see it."""

    def __post_init__(self) -> None:
        chances = {
            "goal_only": self.goal_only,
            "words_only": self.words_only,
            "rephrase": self.rephrase,
            "goal_only + words_only": self.goal_only + self.words_only,
            **{f"dropout of '{name}'": chance for name, chance in self.dropout.items()},
        }
        for name, chance in chances.items():
            if not 0 <= chance <= 1:
                raise BadConfig(f"{name} is a chance, expected 0 to 1, got {chance}.")

    def draw(self, rng: np.random.Generator, step: int, length: int) -> "Varied":
        """Vary one sample; every call draws the same count of numbers.

        Args:
            rng: Decides it.
            step: Time step of the newest frame.
            length: Time steps of the episode.
        """
        place, shown, other, which = rng.random(4)
        goal = None
        if self.goal != "none" and step < length - 1:
            ahead = length - 1 - step
            goal = length - 1 if self.goal == "last" else step + 1 + int(place * ahead)
        return Varied(
            goal=goal,
            drop_words=shown < self.goal_only,
            drop_goal=shown >= 1 - self.words_only,
            rephrased=which if other < self.rephrase else None,
            hidden=frozenset(
                name for name, chance in sorted(self.dropout.items()) if rng.random() < chance
            ),
        )

    def words(self, text: str, varied: "Varied") -> str:
        """An instruction, rephrased if it is to be and there are other words for it."""
        others = self.rephrasings.get(text, ())
        if varied.rephrased is None or not others:
            return text
        return others[int(varied.rephrased * len(others))]


@dataclass(frozen=True, kw_only=True)
class Varied:
    """What was drawn for one sample."""

    goal: int | None = None
    """Time step of the goal image."""
    drop_words: bool = False
    """Where there is a goal image."""
    drop_goal: bool = False
    """Where there is an instruction."""
    rephrased: float | None = None
    """Which of the rephrasings, as a share of them."""
    hidden: frozenset[str] = frozenset()
    """Streams that are not seen."""


PLAIN = Variation()
