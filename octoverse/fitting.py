"""Whether bodies, statistics and modules fit each other, found out before anything is built."""

from collections.abc import Iterable, Mapping

from octoverse.calibration import camera_of
from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse
from octoverse.embodiment import Embodiment, rows_of
from octoverse.errors import BadConfig, UnknownName
from octoverse.tokenizer import optional_inputs


def check_fit(config: PolicyConfig, bodies: Iterable[str], statistics: Iterable[str]) -> None:
    """Refuse a config for which a spec or statistics are lacking.

    Raises:
        BadConfig: if a body of the config has no spec or no statistics.
    """
    for what, known in (("spec", set(bodies)), ("statistics", set(statistics))):
        lacking = sorted(set(config.bodies) - known)
        if lacking:
            raise BadConfig(
                f"the config names the body '{lacking[0]}', for which there is no {what}. "
                f"There is for: {', '.join(sorted(known)) or 'none'}."
            )


def check_streams(body: Embodiment, config: PolicyConfig) -> None:
    """Refuse a tokenizer that reads what the body does not see.

    Raises:
        BadConfig: if a body does not give a tokenizer just its inputs; some may be optional.
        UnknownName: if the body has no such stream, or no camera of which it is the calibration.
    """
    for use in config.bodies[body.name].tokenizers:
        module, given = config.tokenizers[use.key], set(use.streams)
        inputs = set(module.inputs)
        if not inputs - set(optional_inputs(module)) <= given <= inputs:
            raise BadConfig(
                f"the tokenizer '{use.key}' of '{body.name}' reads {', '.join(sorted(inputs))}, "
                f"got {', '.join(sorted(use.streams)) or 'nothing'}. Name a stream for each."
            )
        for stream in use.streams.values():
            if stream not in body.observation and camera_of(body, stream) is None:
                raise UnknownName(f"stream of '{body.name}'", stream, body.observation)


def chunk_shape(body: Embodiment, config: BodyConfig, use: ReadoutUse) -> tuple[int, int]:
    """Shape (horizon, a) of what one readout makes for a body.

    Raises:
        BadConfig: if its groups differ in rows, or have more numbers than the readout.
        UnknownName: if the body has no such group.
    """
    rows = set()
    for group in use.groups:
        if group not in body.action:
            raise UnknownName(f"action group of '{body.name}'", group, body.action)
        spec = body.action[group]
        rows.add(rows_of(spec, config.horizon))
    if len(rows) != 1:
        raise BadConfig(
            f"the readout '{use.key}' of '{body.name}' joins groups of {sorted(rows)} rows. "
            "Give each its own readout."
        )
    numbers = sum(body.action[group].size for group in use.groups)
    if use.size and use.size < numbers:
        raise BadConfig(
            f"the readout '{use.key}' of '{body.name}' makes {use.size} numbers, its groups have "
            f"{numbers}. Give it a size of at least {numbers}, or none."
        )
    return rows.pop(), use.size or numbers


def readout_shapes(
    config: PolicyConfig, bodies: Mapping[str, Embodiment]
) -> dict[str, tuple[int, int]]:
    """Shape (horizon, a) of every readout, the same for all bodies that share it.

    Raises:
        BadConfig: if it is not, or an action group has no readout or several.
        UnknownName: as `chunk_shape`.
    """
    shapes: dict[str, tuple[int, int]] = {}
    for name, body in config.bodies.items():
        for use in body.readouts:
            shape = chunk_shape(bodies[name], body, use)
            if shapes.setdefault(use.key, shape) != shape:
                raise BadConfig(
                    f"the readout '{use.key}' makes chunks of {shapes[use.key]} for another body, "
                    f"'{name}' needs {shape}. Give it a key of its own."
                )
        made = [group for use in body.readouts for group in use.groups]
        for group in bodies[name].action:
            if made.count(group) != 1:
                raise BadConfig(
                    f"the action group '{group}' of '{name}' needs exactly one readout, "
                    f"got {made.count(group)}."
                )
    return shapes
