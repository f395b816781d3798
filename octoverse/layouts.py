"""Where the tokens of each body stand, as its config says; built once."""

from collections.abc import Mapping

from octoverse.config import BodyConfig, PolicyConfig
from octoverse.errors import BadConfig
from octoverse.tokens import GroupSpec, Layout, layout


def body_layout(config: PolicyConfig, body: BodyConfig) -> Layout:
    """The layout of one body.

    Raises:
        BadConfig: if a readout of every step is to stand in a stream.
    """
    frames, groups = config.window.frames, []
    for made in body.readouts:
        if made.every_step and config.trunk.span is not None:
            raise BadConfig(
                f"the readout '{made.key}' stands at every step, which a streaming trunk (span "
                f"{config.trunk.span}) does not keep. Let it stand at the newest alone."
            )
    for read in body.tokenizers:
        module = config.tokenizers[read.key]
        steps = 1 if module.role == "task" else frames
        groups.append(
            GroupSpec(name=read.place, role=module.role, tokens=module.tokens, steps=steps)
        )
    for read in body.tokenizers:
        if read.repeat:
            groups.append(
                GroupSpec(
                    name=f"{read.place}@repeat",
                    role="observation",
                    tokens=config.tokenizers[read.key].tokens,
                    steps=frames,
                    repeats=read.place,
                )
            )
    for made in body.readouts:
        readout = config.readouts[made.key]
        if readout.token_count:
            groups.append(
                GroupSpec(
                    name=made.key,
                    role="readout",
                    tokens=readout.token_count,
                    steps=frames if made.every_step else 1,
                    causal=readout.causal,
                    shifted=config.trunk.shifted,
                )
            )
    return layout(tuple(groups), config.trunk.span)


def slots(config: PolicyConfig, layouts: Mapping[str, Layout]) -> dict[str, tuple[int, int]]:
    """For each group of tokens, the (steps, tokens) that have learned positions.

    Raises:
        BadConfig: if bodies that share a slot differ in its size, or the window is longer than the
            positions.
    """
    longest, found = config.trunk.max_frames, dict[str, tuple[int, int]]()
    rotary = config.trunk.positions == "rotary"
    if longest is not None and config.window.frames > longest:
        raise BadConfig(
            f"the window has {config.window.frames} frames, the trunk positions for {longest}. "
            "Shorten the window, or give the trunk more max_frames and train it."
        )
    for name, known in layouts.items():
        each_step = {use.key for use in config.bodies[name].readouts if use.every_step}
        for group in known.groups.values():
            if group.repeats:
                continue
            timed = group.role == "observation" or group.name in each_step
            steps = longest or config.window.frames if timed and not rotary else 1
            here = (steps, group.tokens)
            if found.setdefault(group.name, here) != here:
                raise BadConfig(
                    f"'{group.name}' has {here[0]} x {here[1]} tokens for body '{name}' and "
                    f"{found[group.name][0]} x {found[group.name][1]} for another. "
                    "Give one of them a slot of its own."
                )
    return found
