"""What the recipes of driving systems share: which body is a car, and what of it is read."""

from collections.abc import Sequence

from octoverse.embodiment import (
    Camera,
    Command,
    Embodiment,
    Instruction,
    Route,
    Stream,
    Waypoints,
    kind_of,
)
from octoverse.errors import BadConfig
from octoverse.recipes.compose import Reading, Writing, simple
from octoverse.tokenizers.resnet_grid import ResNetGridTokenizerConfig
from octoverse.tokenizers.route import RouteTokenizerConfig


def check_cars(bodies: Sequence[Embodiment], recipe: str, roles: Sequence[str] = ()) -> None:
    """Refuse bodies that do not see by cameras and drive by waypoints.

    Args:
        bodies: Their specs.
        recipe: Its name.
        roles: Roles of which at least one camera must be; any will do if none is given.

    Raises:
        BadConfig: if one does not.
    """
    for body in bodies:
        seen = sorted({camera.role for camera in body.cameras.values()})
        fits = any(role in roles for role in seen) if roles else seen
        if not fits or not all(isinstance(group, Waypoints) for group in body.action.values()):
            made = ", ".join(f"{name} ({kind_of(spec)})" for name, spec in body.action.items())
            raise BadConfig(
                f"the recipe '{recipe}' is for cars that make waypoints of what "
                f"{' or '.join(roles) or 'any'} cameras see. '{body.name}' has the cameras "
                f"{', '.join(seen) or 'none'} and makes {made}. Choose another recipe, or leave "
                "this body out."
            )


def feature_map(height: int, width: int, size: str) -> ResNetGridTokenizerConfig:
    """A token for each place of a ResNet-34's last map; tiny has 18 thin layers.

    It normalises groups of channels, since it begins from nothing.
    """
    if size == "tiny":
        return ResNetGridTokenizerConfig(height=height, width=width, channels=16, norm="group")
    return ResNetGridTokenizerConfig(height=height, width=width, depth=34, norm="group")


def read_state(body: Embodiment, name: str, stream: Stream) -> Reading | None:
    """How speed, past poses, command and route are read; words where no command is given."""
    commanded = any(isinstance(s, Command) for s in body.observation.values())
    if isinstance(stream, Camera) or (isinstance(stream, Instruction) and commanded):
        return None
    if isinstance(stream, Route):
        tokens = 4 if stream.points % 4 == 0 else 1
        config = RouteTokenizerConfig(points=stream.points, tokens=tokens)
        return Reading(key=f"route/{stream.points}", config=config, inputs={"route": name})
    return simple(body, name, stream)


def code_of(body: Embodiment) -> str:
    """The codec of a car's waypoints: departures from driving straight on, if its speed is known.

    Of absolute waypoints most anchors would tell speeds, which are known, and few what is decided.
    """
    return "constant_velocity" if "speed" in body.observation else "scaled"


def writings(body: Embodiment, config: object) -> list[Writing]:
    """One readout for each path of a body, shared by those of equal length and codec."""
    return [
        Writing(key=f"path/{group.steps}/{code_of(body)}", config=config, groups=(name,))
        for name, group in body.action.items()
        if isinstance(group, Waypoints)
    ]
