"""What acts: a policy for many bodies at once, as servers and rollouts see it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from octoverse.embodiment import Embodiment
from octoverse.episode import ActionChunk, Frame, Observation


@runtime_checkable
class ActingPolicy(Protocol):
    """Complete windows of any of its bodies in, one chunk of actions for each out.

    It keeps nothing of a robot between two calls: windows belong to a Session, and what is worth
    keeping goes into the robot's memory.
    """

    @property
    def model(self) -> str:
        """Name and hash of the weights, as in "demo-1f3a9c02"."""
        ...

    @property
    def statistics(self) -> str:
        """Which statistics scale states and actions, in words."""
        ...

    @property
    def bodies(self) -> Mapping[str, Embodiment]:
        """Body name to the spec that it was trained with."""
        ...

    @property
    def frames(self) -> int:
        """How many frames t a window has."""
        ...

    @property
    def spacing(self) -> float | None:
        """Seconds between the frames of a window; None for one control step of the body."""
        ...

    @property
    def horizons(self) -> Mapping[str, Mapping[str, int]]:
        """Body name to action group to the rows that a chunk has."""
        ...

    @property
    def camera_sizes(self) -> Mapping[str, Mapping[str, tuple[int, int]]]:
        """Body name to camera or goal image to the (height, width) that `prepare` makes."""
        ...

    def prepare(self, body: str, frame: Frame) -> Frame:
        """Resize the images of one frame; called once per frame, from any thread."""
        ...

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        """Answer each observation, of mixed bodies, with a chunk in its body's units.

        Args:
            observations: One complete window for each robot.
            memories: For each robot, what earlier calls have put there. It may be emptied between
                two calls; memory["instruction"] is emptied whenever the instruction changes.
        """
        ...
