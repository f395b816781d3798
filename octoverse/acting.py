"""What acts: a policy for many bodies at once, and one robot's share of it.

ActingPolicy is what a server and a rollout are given. RobotPolicy is what one robot calls: a
LocalPolicy in this process, or a Client of a policy server; both answer the same.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from octoverse.embodiment import Camera, Embodiment, GoalImage, NumericStream
from octoverse.episode import ActionChunk, Calibration, Frame, Observation
from octoverse.errors import SpecMismatch, UnknownName
from octoverse.session import Session


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
                two calls; memory["instruction"] is a dict that is emptied whenever the
                instruction changes, memory["calibration"] what is known of the cameras.
        """
        ...


@runtime_checkable
class RobotPolicy(Protocol):
    """One robot's policy, wherever it runs."""

    body: Embodiment

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        deadline_ms: float | None = None,
        seed: int | None = None,
        chunk_ns: int | None = None,
        executed_steps: int = 0,
        frozen_steps: int = 0,
        seen_at_ns: Mapping[str, int] | None = None,
    ) -> ActionChunk:
        """Add a frame to the window and ask for the next actions.

        Args:
            frame: What the body sees.
            observed_at_ns: When, by a monotonic clock; now if not given.
            deadline_ms: Later than that the answer is of no use.
            seed: Decides, with the count of calls since the reset, the noise of sampled actions;
                that of the reset if not given.
            chunk_ns: `observed_at_ns` of the chunk that the robot is playing.
            executed_steps: How many of its rows were executed when the frame was seen.
            frozen_steps: How many rows after those will be executed whatever comes; the new chunk
                begins with them, if the policy can.
            seen_at_ns: When single streams were seen, where that is not when the frame was.
        """
        ...

    def observe(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        seen_at_ns: Mapping[str, int] | None = None,
    ) -> None:
        """Add a frame to the window, without asking for actions."""
        ...

    def reset(self, seed: int = 0) -> None:
        """Begin a new episode: forget the window and the memory."""
        ...


class LocalPolicy:
    """One robot's share of a policy in this process.

    Args:
        policy: The policy.
        body: Name of one of its bodies, or a spec of the robot's own where that differs in what
            may differ (camera sizes, optional streams).
        calibration: Of the robot's cameras, by name.
    """

    def __init__(
        self,
        policy: ActingPolicy,
        body: str | Embodiment,
        calibration: Mapping[str, Calibration] | None = None,
    ) -> None:
        if isinstance(body, str):
            body = _body(policy, body)
        self.policy, self.body = policy, body
        self.session = open_session(policy, body, calibration=calibration)
        self.reset()

    @property
    def frames(self) -> int:
        """How many frames a window has."""
        return self.session.frames

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        deadline_ms: float | None = None,
        seed: int | None = None,
        chunk_ns: int | None = None,
        executed_steps: int = 0,
        frozen_steps: int = 0,
        seen_at_ns: Mapping[str, int] | None = None,
    ) -> ActionChunk:
        """Add a frame to the window and compute the next actions; there is no deadline here.

        The arguments are those of RobotPolicy.
        """
        self.observe(frame, observed_at_ns=observed_at_ns, seen_at_ns=seen_at_ns)
        prefix = {}
        if chunk_ns is not None:
            prefix = self.session.prefix(chunk_ns, executed_steps, frozen_steps)
        seed = self._seed if seed is None else seed
        observation = self.session.observation(seed, self._step, prefix)
        self._step += 1
        [chunk] = self.policy.act([observation], [self.session.memory])
        horizons = self.policy.horizons[self.body.name]
        check_chunk(self.body, horizons, chunk, observation.observed_at_ns)
        self.session.answered(chunk)
        return chunk

    def observe(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        seen_at_ns: Mapping[str, int] | None = None,
    ) -> None:
        """Add a frame to the window, without computing actions."""
        at_ns = time.monotonic_ns() if observed_at_ns is None else observed_at_ns
        self.session.observe(frame, at_ns, seen_at_ns)

    def reset(self, seed: int = 0) -> None:
        """Begin a new episode: forget the window and the memory."""
        self.session.reset()
        self._seed, self._step = seed, 0


def open_session(
    policy: ActingPolicy,
    body: Embodiment,
    *,
    memory_bytes: int = 64 * 2**20,
    calibration: Mapping[str, Calibration] | None = None,
) -> Session:
    """Make the window that this policy wants of a robot with this spec.

    Raises:
        UnknownName: if the policy has no body of this name.
    """
    sizes = policy.camera_sizes.get(body.name, {})
    streams = {
        name: msgspec.structs.replace(stream, height=sizes[name][0], width=sizes[name][1])
        if isinstance(stream, Camera | GoalImage) and name in sizes
        else stream
        for name, stream in _body(policy, body.name).observation.items()
    }
    return Session(
        body,
        frames=policy.frames,
        spacing=policy.spacing,
        prepare=lambda frame: policy.prepare(body.name, frame),
        streams=streams,
        memory_bytes=memory_bytes,
        calibration=calibration,
    )


def check_present(body: Embodiment, observation: Observation) -> None:
    """Raise SpecMismatch unless every number that a body always sends is known at the newest frame.

    Actions may be relative to it: those that are relative to zero for want of it would be wild.
    """
    late = [
        name
        for name, stream in body.observation.items()
        if isinstance(stream, NumericStream)
        and not stream.optional
        and name in observation.valid
        and not observation.valid[name][-1]
    ]
    if late:
        raise SpecMismatch(
            f"{body.name}: expected {', '.join(late)} of the newest frame's time to act upon, got "
            "it from more than half a spacing before. Send a newer one, or give the frame the "
            "time of its numbers."
        )


def check_chunk(
    body: Embodiment, horizons: Mapping[str, int], chunk: ActionChunk, observed_at_ns: int
) -> None:
    """Raise SpecMismatch unless `chunk` answers that observation of `body` in finite numbers.

    Args:
        body: Whose chunk it must be.
        horizons: Rows that it must have, for each action group.
        chunk: What the policy gave.
        observed_at_ns: Which observation it must answer.
    """
    if (chunk.embodiment, chunk.observed_at_ns) != (body.name, observed_at_ns):
        raise SpecMismatch(
            f"chunk: expected one for {body.name} at {observed_at_ns} ns, "
            f"got one for {chunk.embodiment} at {chunk.observed_at_ns} ns. "
            "A policy answers its observations in their order."
        )
    if chunk.action.keys() != body.action.keys():
        raise SpecMismatch(
            f"chunk of {body.name}: expected {', '.join(sorted(body.action))}, "
            f"got {', '.join(sorted(chunk.action)) or 'nothing'}."
        )
    for name, action in chunk.action.items():
        shape = (horizons[name], body.action[name].size)
        if action.shape != shape or action.dtype != np.float32:
            raise SpecMismatch(
                f"chunk of {body.name}.{name}: expected float32 {shape}, "
                f"got {action.dtype} {action.shape}."
            )
        # One number tells of most chunks that they are sound, at less than half the time.
        if not math.isfinite(np.vdot(action, action)) and not np.isfinite(action).all():
            raise SpecMismatch(
                f"chunk of {body.name}.{name}: expected finite numbers, got NaN or infinity. "
                "Look at the weights and at the statistics of the states."
            )


def _body(policy: ActingPolicy, name: str) -> Embodiment:
    if name not in policy.bodies:
        raise UnknownName(f"body of {policy.model}", name, policy.bodies)
    return policy.bodies[name]
