"""Read the streams of a new body as a checkpoint reads the streams most like them."""

from dataclasses import replace

from octoverse.calibration import camera_of, stream_of
from octoverse.config import TokenizerUse
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction, Stream
from octoverse.recipes.compose import goal_of
from octoverse.training.new_body.likeness import SAME, UNLIKE, moves_alike, streams_like
from octoverse.training.new_body.taken import Beside, Taken, generic_config, own_key


class Reads(Beside):
    """How the new body sees: as those of the checkpoint that see most alike."""

    def all(self) -> list[Taken[TokenizerUse]]:
        """How every stream is read, no two in one place of the sequence."""
        places: set[str] = set()
        found = []
        for one in (one for name in self._body.observation for one in self._of(name)):
            if one.use.place in places:
                stream = next(iter(one.use.streams.values()))
                one = replace(one, use=replace(one.use, slot=f"{one.use.key}:{stream}"))
            places.add(one.use.place)
            found.append(one)
        return found

    def _of(self, name: str) -> list[Taken[TokenizerUse]]:
        """How a stream is read: as the one most like it of a body that moves alike, if any is."""
        found, best = list[Taken[TokenizerUse]](), UNLIKE
        for kin in (True, False):
            for other, spec in self._others.items():
                for stream in spec.observation:
                    like = _like(self._body, name, spec, stream)
                    if like > best and moves_alike(self._body, spec) is kin:
                        copied = self._copied(name, other, stream)
                        found, best = (copied, like) if copied else (found, best)
            if found:
                return found
        return self._generic_of(name)

    def _generic_of(self, name: str) -> list[Taken[TokenizerUse]]:
        return [
            Taken(
                use,
                None,
                generic_config(use.key, self._generic.tokenizers, self._known.tokenizers),
            )
            for use in self._generic.bodies[self._body.name].tokenizers
            if name in use.streams.values()
        ]

    def _copied(self, name: str, other: str, stream: str) -> list[Taken[TokenizerUse]]:
        """Read a stream as a stream of another body is read; empty where that is not possible."""
        body, copied = self._others[other], list[Taken[TokenizerUse]]()
        mine, theirs = _view(self._body, name), _view(body, stream)
        for use in self._known.bodies[other].tokenizers:
            if main_stream(use, body) != stream or not self._can_look(use, mine):
                continue
            streams = {
                role: self._counterpart(body, one, stream, name)
                for role, one in use.streams.items()
            }
            if not all(streams.values()):
                return []
            key, slot = use.key, use.slot
            if isinstance(mine, Camera) and isinstance(theirs, Camera) and mine.role != theirs.role:
                renamed = _renamed(key, theirs.role, mine.role)
                key, slot = own_key(renamed, self._body.name, self._known), ""
            made = replace(use, key=key, slot=slot, streams=streams)
            copied.append(Taken(made, use, self._known.tokenizers[use.key]))
        return copied

    def _can_look(self, use: TokenizerUse, mine: Stream) -> bool:
        """Whether what it reads is ever there: a camera without calibration has none."""
        looks = all(one.endswith(stream_of("")) for one in use.streams.values())
        return not looks or (isinstance(mine, Camera) and mine.calibrated)

    def _counterpart(self, body: Embodiment, stream: str, main: str, name: str) -> str:
        """The stream of this body that stands for a stream of another; empty where none does."""
        camera = camera_of(body, stream)
        if camera is not None:
            found = self._counterpart(body, camera, main, name)
            return stream_of(found) if found else ""
        if stream == main:
            return name
        theirs = body.observation[stream]
        if isinstance(theirs, GoalImage):
            return goal_of(self._body, name) or ""
        for mine, spec in self._body.observation.items():
            if streams_like(spec, theirs) == SAME:
                return mine
        return ""


def main_stream(use: TokenizerUse, body: Embodiment) -> str:
    """The stream that a tokenizer is for; words are mostly there to guide how it looks."""
    streams = [camera_of(body, stream) or stream for stream in use.streams.values()]
    seen = [one for one in streams if not isinstance(body.observation[one], Instruction)]
    return (seen or streams)[0]


def _like(body: Embodiment, name: str, other: Embodiment, stream: str) -> int:
    """How like two streams are; goal images are as their cameras are."""
    if type(body.observation[name]) is not type(other.observation[stream]):
        return UNLIKE
    return streams_like(_view(body, name), _view(other, stream))


def _view(body: Embodiment, name: str) -> Stream:
    """A stream; of a goal image, its camera."""
    stream = body.observation[name]
    return body.observation[stream.camera] if isinstance(stream, GoalImage) else stream


def _renamed(key: str, old: str, new: str) -> str:
    """The key of a camera's tokenizer for a camera of another role."""
    head, _, tail = key.rpartition("/")
    return f"{head}/{new}" if head and tail == old else f"{key}/{new}"
