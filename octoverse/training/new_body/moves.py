"""Make the action groups of a new body as a checkpoint makes the groups most like them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from octoverse.config import ReadoutUse
from octoverse.embodiment import ActionGroup, rows_of
from octoverse.training.new_body.likeness import SAME, UNLIKE, codec_fits, groups_like
from octoverse.training.new_body.taken import Beside, Taken, generic_config, own_key


class Moves(Beside):
    """How the new body moves: as those of the checkpoint that move most alike."""

    def all(self) -> list[Taken[ReadoutUse]]:
        """How every action group is made."""
        found = list(self._like())
        made = {group for one in found for group in one.use.groups}
        for use in self._generic.bodies[self._body.name].readouts:
            if not made & set(use.groups):
                config = generic_config(use.key, self._generic.readouts, self._known.readouts)
                found.append(Taken(use, None, config))
        return found

    def _like(self) -> Iterator[Taken[ReadoutUse]]:
        """Readouts of the checkpoint whose action groups this body has, or some like them."""
        left = dict(self._body.action)
        for other, body in self._others.items():
            for use in self._known.bodies[other].readouts:
                like = _matched(left, [body.action[group] for group in use.groups])
                config = self._known.readouts[use.key]
                if not like or not self._joins(tuple(like), config.codec):
                    continue
                same = len(like) == len(use.groups) and set(like.values()) == {SAME}
                own = own_key(f"{use.key}/{self._body.name}", self._body.name, self._known)
                made = replace(
                    use,
                    key=use.key if same else own,
                    groups=tuple(like),
                    size=self._size(use, like),
                )
                yield Taken(made, use, config)
                left = {name: spec for name, spec in left.items() if name not in like}

    def _size(self, use: ReadoutUse, groups: Iterable[str]) -> int:
        """Numbers of a readout that masks those a body lacks; 0 for one that has no others."""
        numbers = sum(self._body.action[group].size for group in groups)
        return max(use.size, numbers) if use.size else 0

    def _joins(self, groups: tuple[str, ...], codec: str) -> bool:
        """Whether one readout with this codec can make these groups side by side."""
        specs = [self._body.action[group] for group in groups]
        horizon = self._generic.bodies[self._body.name].horizon
        rows = {rows_of(spec, horizon) for spec in specs}
        return len(rows) == 1 and codec_fits(codec, self._body, groups)


def _matched(mine: Mapping[str, ActionGroup], theirs: list[ActionGroup]) -> dict[str, int]:
    """For each of their groups, the one of mine that is most like it, and how much."""
    found: dict[str, int] = {}
    for spec in theirs:
        ranked = {name: groups_like(one, spec) for name, one in mine.items() if name not in found}
        best = max(ranked, key=lambda name: ranked[name], default="")
        if ranked.get(best, UNLIKE) > UNLIKE:
            found[best] = ranked[best]
    return found
