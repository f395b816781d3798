"""An episode sent to Rerun: its viewer, or a file that it opens.

Source: rerun-io/rerun, the Python SDK, version 0.26 and later.
"""

from pathlib import Path
from typing import Any

import numpy as np

from octoverse.data.survey import picture_of
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction, PathGroup
from octoverse.episode import Episode
from octoverse.registry import missing_extra

TIMELINE = "time"
"""Seconds from the first step on; "step" is there, too."""


def to_rerun(episode: Episode, body: Embodiment, save: Path | None = None) -> None:
    """Send an episode.

    Args:
        episode: What to send; what is masked is left out.
        body: Whose.
        save: A file (.rrd) to write; the viewer is started where there is none.

    Raises:
        MissingExtra: if Rerun is not installed.
    """
    try:
        import rerun
    except ModuleNotFoundError as error:
        raise missing_extra("Sending to Rerun", error) or error from error
    stream = rerun.RecordingStream("octoverse", recording_id=f"{episode.source}/{episode.key}")
    if save is None:
        stream.spawn()
    else:
        save.parent.mkdir(parents=True, exist_ok=True)
        stream.save(save)
    _name_series(rerun, stream, body)
    seconds = (episode.times_ns - episode.times_ns[0]) / 1e9
    said = ""
    for step in range(len(episode)):
        stream.set_time("step", sequence=step)
        stream.set_time(TIMELINE, duration=float(seconds[step]))
        for name, values in episode.observation.items():
            if not episode.observation_valid.get(name, np.ones(len(episode), bool))[step]:
                continue
            spec = body.observation[name]
            if isinstance(spec, Camera | GoalImage):
                stream.log(f"cameras/{name}", _image(rerun, values[step]))
            elif isinstance(spec, Instruction):
                if values[step] != said:
                    said = values[step]
                    stream.log(name, rerun.TextDocument(said))
            elif np.ndim(values[step]) == 2:
                stream.log(f"from_above/{name}", _line(rerun, values[step], 0x65717AFF))
            else:
                row = np.atleast_1d(values[step])
                stream.log(f"observation/{name}", rerun.Scalars(row))
        for name, actions in episode.action.items():
            valid = episode.action_valid.get(name, np.ones(actions.shape[:-1], bool))[step]
            if isinstance(body.action[name], PathGroup):
                line = _line(rerun, actions[step][valid], 0xD1562AFF)
                stream.log(f"from_above/{name}", line)
            elif valid:
                stream.log(f"action/{name}", rerun.Scalars(actions[step]))
        if episode.tracks is not None:
            stream.log("from_above/agents", _boxes(rerun, episode, step))
    stream.flush()
    stream.disconnect()


def _name_series(rerun: Any, stream: Any, body: Embodiment) -> None:
    for side in ("observation", "action"):
        for name, spec in getattr(body, side).items():
            names = getattr(spec, "names", None)
            if names and not isinstance(spec, PathGroup):
                lines = rerun.SeriesLines(names=list(names))
                stream.log(f"{side}/{name}", lines, static=True)


def _image(rerun: Any, image: bytes | np.ndarray) -> Any:
    if isinstance(image, np.ndarray):
        return rerun.Image(image).compress(jpeg_quality=90)
    form = picture_of(image).encoding.lower()
    return rerun.EncodedImage(contents=image, media_type=f"image/{form}")


def _line(rerun: Any, poses: np.ndarray, colour: int) -> Any:
    return rerun.LineStrips3D([_flat(poses)], colors=[colour])


def _flat(poses: np.ndarray) -> np.ndarray:
    """Points on the ground, (n, 3)."""
    return np.concatenate([poses[:, :2], np.zeros((len(poses), 1))], axis=1)


def _boxes(rerun: Any, episode: Episode, step: int) -> Any:
    tracks = episode.tracks
    assert tracks is not None
    here = np.flatnonzero(tracks.step == step)
    half = tracks.pose[here, 2] / 2
    turned = np.stack([0 * half, 0 * half, np.sin(half), np.cos(half)], axis=1)
    return rerun.Boxes3D(
        centers=_flat(tracks.pose[here]),
        sizes=tracks.size[here],
        quaternions=turned,
        labels=[str(kind) for kind in np.asarray(tracks.kind)[here]],
    )
