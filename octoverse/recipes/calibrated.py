"""Any policy with one more token for every calibrated camera: for rigs that differ."""

from collections.abc import Sequence
from dataclasses import replace

from octoverse.calibration import stream_of
from octoverse.config import PolicyConfig, TokenizerUse
from octoverse.embodiment import Camera, Embodiment
from octoverse.errors import BadConfig
from octoverse.tokenizers.calibration import CalibrationTokenizerConfig

KEY = "calibration"


def calibrated(config: PolicyConfig, bodies: Sequence[Embodiment]) -> PolicyConfig:
    """Let a policy read where its cameras look, and through which lens.

    Every camera that a body declares calibrated, and that the policy reads, gets a token. All share
    one tokenizer, since the numbers themselves say which camera it is.

    Args:
        config: The policy.
        bodies: The specs of its bodies.

    Raises:
        BadConfig: if the policy reads no calibrated camera, or has something else of that key.
    """
    if KEY in config.tokenizers:
        raise BadConfig(f"the policy has a tokenizer '{KEY}' already: {config.tokenizers[KEY]}.")
    made = dict(config.bodies)
    for body in bodies:
        one = config.bodies[body.name]
        read = {stream for use in one.tokenizers for stream in use.streams.values()}
        uses = [
            TokenizerUse(key=KEY, streams={"calibration": stream_of(name)}, slot=stream_of(name))
            for name, camera in body.observation.items()
            if isinstance(camera, Camera) and camera.calibrated and name in read
        ]
        made[body.name] = replace(one, tokenizers=(*one.tokenizers, *uses))
    if made == dict(config.bodies):
        names = ", ".join(body.name for body in bodies) or "no body"
        raise BadConfig(
            f"the policy reads no camera of {names} that is declared calibrated. Set "
            "calibrated=True on the cameras whose intrinsics and extrinsics come with the data."
        )
    return replace(
        config, bodies=made, tokenizers={**config.tokenizers, KEY: CalibrationTokenizerConfig()}
    )
