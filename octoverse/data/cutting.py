"""Cut training samples out of opened episodes, straight into the arrays of a batch."""

from collections.abc import Callable, Sequence

import numpy as np

from octoverse.augmentation import Jitter
from octoverse.calibration import jittered
from octoverse.data.opened import OpenedEpisode
from octoverse.data.pictures import picture_of
from octoverse.data.variation import PLAIN, Variation, Varied
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction, PathGroup
from octoverse.episode import Episode, Observation, Window
from octoverse.preprocess import Preprocess

Picture = Callable[[str, int], np.ndarray]
"""Gives the decoded image of a camera (by name) at a time step."""


class Cutter:
    """Cuts samples of one body.

    Frames before the start, streams that the recording lacks and steps after the end are zero and
    invalid. As in a Session, a place in the window takes the frame nearest to its time, at most
    half a spacing away.
    """

    def __init__(
        self,
        body: Embodiment,
        spec: WindowSpec,
        preprocess: Preprocess,
        variation: Variation = PLAIN,
        augment: bool = False,
    ) -> None:
        self.body, self.spec, self.preprocess = body, spec, preprocess
        self._variation = variation
        self._augmented = {
            name: camera.role
            for name, camera in body.cameras.items()
            if augment and preprocess.augmentation(camera.role).active
        }
        self._wanted, self._looks = spec.wanted(body), spec.calibrations(body)
        self._words = [name for name, s in self._wanted.items() if isinstance(s, Instruction)]
        self._goals = {name: s for name, s in self._wanted.items() if isinstance(s, GoalImage)}
        self._rows = {name: spec.rows(body, name) for name in body.action}
        self._spacing_ns = round(spec.spacing / body.control_hz * 1e9)

    def cut(
        self,
        into: StackedWindows,
        row: int,
        opened: OpenedEpisode,
        step: int,
        picture: Picture,
        rng: np.random.Generator,
    ) -> None:
        """Write one sample into one row; everything that was there before is overwritten.

        Args:
            into: The batch.
            row: Which of its samples.
            opened: Where it is cut from.
            step: Time step of the newest frame; the chunk's first row is the action of this step.
            picture: Decodes images.
            rng: Decides how it is varied.
        """
        varied = self._variation.draw(rng, step, len(opened))
        jitters = {
            name: self.preprocess.jitter(role, rng) for name, role in self._augmented.items()
        }
        places = self._places(opened.times, step)
        goal = self._conditions(into, row, opened, step, varied)
        for name, stream in self._wanted.items():
            into.hidden[name][row] = name in varied.hidden
            if isinstance(stream, Instruction):
                continue
            if isinstance(stream, GoalImage) and name not in opened.valid:
                self._goal(
                    into, row, opened, name, stream, goal, picture, jitters.get(stream.camera)
                )
                continue
            values, valid = into.streams[name][row], into.valid[name][row]
            real = places >= 0
            if name in opened.valid:
                real &= opened.valid[name][places]
            else:
                real[:] = False
            valid[:] = real
            if isinstance(stream, Camera | GoalImage):
                camera = stream.camera if isinstance(stream, GoalImage) else name
                role = self.body.cameras[camera].role
                for i, place in enumerate(places.tolist()):
                    values[i] = (
                        self.preprocess.finished(role, picture(name, place), jitters.get(camera))
                        if real[i]
                        else 0
                    )
            elif real.all():
                values[:] = opened.numbers[name][places]
            else:
                values[:] = 0
                if real.any():
                    values[real] = opened.numbers[name][places[real]]
        for name, camera in self._looks.items():
            self._calibration(into, row, opened, name, camera, places, jitters.get(camera))
            into.hidden[name][row] = not varied.hidden.isdisjoint((name, camera))
        self._actions(into, row, opened, step, goal)

    def _places(self, times: np.ndarray, step: int) -> np.ndarray:
        """Time step for each place of the window, oldest first; -1 where there is none."""
        if self.spec.frames == 1:
            return np.array([step])
        spacing, half = self._spacing_ns, self._spacing_ns // 2
        wanted = times[step] - spacing * np.arange(self.spec.frames - 1, -1, -1)
        later = np.searchsorted(times[: step + 1], wanted)  # the last one is always found
        earlier = later - 1
        ahead = times[later] - wanted
        behind = np.where(earlier >= 0, wanted - times[earlier], 2 * spacing)
        # Of two that are equally near, a session takes the newer one.
        found = np.where(ahead <= behind, later, earlier)
        near = np.where(ahead <= behind, ahead <= half, behind < spacing - half)
        return np.where(near, found, -1)

    def _conditions(
        self, into: StackedWindows, row: int, opened: OpenedEpisode, step: int, varied: Varied
    ) -> int | None:
        """Write the instructions, and say which frame is shown as the goal."""
        goal = varied.goal if self._goals else None
        if goal is not None and not any(
            stream.camera in opened.valid and opened.valid[stream.camera][goal]
            for stream in self._goals.values()
        ):
            goal = None
        spoken = {
            name: str(opened.episode.observation[name][step])
            for name in self._words
            if name in opened.valid and opened.valid[name][step]
        }
        if goal is not None and spoken:
            if varied.drop_goal:
                goal = None
            elif varied.drop_words:
                spoken = {}
        for name in self._words:
            text = spoken.get(name, "")
            into.streams[name][row] = self._variation.words(text, varied)
            into.valid[name][row] = bool(text)
        return goal

    def _goal(
        self,
        into: StackedWindows,
        row: int,
        opened: OpenedEpisode,
        name: str,
        stream: GoalImage,
        goal: int | None,
        picture: Picture,
        jitter: Jitter | None,
    ) -> None:
        seen = opened.valid.get(stream.camera)
        real = goal is not None and seen is not None and bool(seen[goal])
        into.valid[name][row] = real
        if goal is None or not real:
            into.streams[name][row] = 0
            return
        role = self.body.cameras[stream.camera].role
        into.streams[name][row] = self.preprocess.finished(
            role, picture(stream.camera, goal), jitter
        )

    def _calibration(
        self,
        into: StackedWindows,
        row: int,
        opened: OpenedEpisode,
        name: str,
        camera: str,
        places: np.ndarray,
        jitter: Jitter | None,
    ) -> None:
        """Write where a camera looks into the steps that it sees, changed as its images are."""
        values, valid = into.streams[name][row], into.valid[name][row]
        numbers = opened.calibration(camera)
        values[:], valid[:] = 0, False
        if numbers is not None:
            if jitter is not None:
                size = self.preprocess.size(self.body.cameras[camera])
                numbers = jittered(numbers, jitter, *size)
            valid[:] = (places >= 0) & opened.valid[camera][places]
            values[valid] = numbers

    def _actions(
        self,
        into: StackedWindows,
        row: int,
        opened: OpenedEpisode,
        step: int,
        goal: int | None,
    ) -> None:
        for name, group in self.body.action.items():
            chunk, real = into.action[name][row], into.action_valid[name][row]
            chunk[:], real[:] = 0, False
            if name not in opened.action:
                continue
            if isinstance(group, PathGroup):
                chunk[:], real[:] = opened.action[name][step], opened.action_valid[name][step]
                if goal is not None:
                    ahead = (opened.times[goal] - opened.times[step]) / 1e9
                    late = (np.arange(len(real)) + 1) / group.hz > ahead + 1e-6
                    chunk[late], real[late] = 0, False
                continue
            # The action of the step before the goal is the one that reaches it.
            stop = step + self._rows[name] if goal is None else min(step + self._rows[name], goal)
            found = opened.action[name][step:stop]
            chunk[: len(found)] = found
            real[: len(found)] = opened.action_valid[name][step:stop]


def cut(
    episode: Episode, step: int, body: Embodiment, spec: WindowSpec, preprocess: Preprocess
) -> Window:
    """Cut one sample out of an episode, varied in nothing; see `Cutter`.

    Args:
        episode: Where it is cut from.
        step: Time step of the newest frame.
        body: The episode's body.
        spec: What to cut.
        preprocess: Prepares the images.
    """
    return cut_all(episode, [step], body, spec, preprocess)[0]


def cut_all(
    episode: Episode,
    steps: Sequence[int],
    body: Embodiment,
    spec: WindowSpec,
    preprocess: Preprocess,
) -> list[Window]:
    """Cut several samples out of one episode, which is opened once."""
    opened, cutter = OpenedEpisode(episode, body), Cutter(body, spec, preprocess)
    found = []
    for step in steps:
        if not 0 <= step < len(opened):
            raise IndexError(f"step must be from 0 to {len(opened) - 1}, got {step}.")
        one = StackedWindows.empty(body, spec, preprocess, 1)
        cutter.cut(
            one,
            0,
            opened,
            step,
            lambda name, at: picture_of(opened, preprocess, name, at),
            np.random.default_rng(0),
        )
        observation = Observation(
            embodiment=body.name,
            streams={name: values[0] for name, values in one.streams.items()},
            valid={name: values[0] for name, values in one.valid.items()},
            observed_at_ns=int(opened.times[step]),
            step=step,
        )
        found.append(
            Window(
                observation=observation,
                action={name: values[0] for name, values in one.action.items()},
                action_valid={name: values[0] for name, values in one.action_valid.items()},
            )
        )
    return found
