"""π0's action expert on a native trunk: the chunks of all bodies come from one expert of 50 x 32.

Source: Black et al., "π0", 2024; Physical-Intelligence/openpi: models/pi0.py, training/config.py.
Faithful: the expert, half as wide as the trunk, with its own weights in every layer, reading the
trunk's keys and values; ten Euler steps; times by Beta(1.5, 1); all cameras through one vision
transformer, 256 tokens for 224 x 224; RMSNorm, gated layers; batch, steps, mean of the weights.
Not: trunk (12 x 768, there a language model of 18 x 2048) and vision transformer begin from
nothing, so rate and weight decay are higher (there 2.5e-5 and none); language is one token of
bytes, which images read and which does not read them; a state is a token of the trunk, not of the
expert, with a layer for each body's own numbers; numbers that a body lacks are masked, not learned
as zeros; joints are not relative to what is measured. A path has an expert of its own, with as many
rows.
"""

from collections.abc import Sequence

from octoverse.config import PolicyConfig
from octoverse.embodiment import Camera, Embodiment, PathGroup, Stream
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.action_expert import ActionExpertConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import Reading, Writing, compose, joined, simple
from octoverse.tokenizers.vit import ViTTokenizerConfig
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import sized


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Make its config for these bodies."""
    side, patch, layers = (32, 8, 1) if size == "tiny" else (224, 14, 12)
    kind = {"norm": "rms", "epsilon": 1e-6, "activation": "swiglu", "mlp_ratio": 8 / 3}
    trunk = sized("tiny" if size == "tiny" else "base", **kind)
    expert = ActionExpertConfig(width=trunk.width // 2)
    eye = ViTTokenizerConfig(height=side, width=side, patch=patch, layers=layers, heads=trunk.heads)

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if not isinstance(stream, Camera):
            return simple(body, name, stream)
        slot = f"camera/{stream.role}"
        return Reading(key="camera", config=eye, inputs={"image": name}, slot=slot)

    def write(body: Embodiment) -> list[Writing]:
        made = []
        for groups in joined(body):
            path = body.action[groups[0]]
            own = f"{groups[0]}/{path.steps}" if isinstance(path, PathGroup) else "50"
            made.append(Writing(key=f"expert/{own}x32", config=expert, groups=groups, size=32))
        return made

    images = PreprocessConfig(height=side, width=side)
    return compose(bodies, trunk=trunk, read=read, write=write, horizon=50, preprocess=images)


PI0_NATIVE = Architecture(
    name="pi0_native",
    about="π0's action expert, shared by all bodies, on a trunk that begins from nothing",
    policy=policy,
    sizes=("base", "tiny"),
    example=("widowx", "aloha"),
    training=TrainingConfig(
        steps=30_000,
        batch_size=32,
        learning_rate=1e-4,
        warmup_steps=1000,
        mean_of=0.99,
        precision="bfloat16",
    ),
)
