"""`octoverse data record`: record scripted experts in simulation."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


def record(
    environment: Annotated[Positional[str], arg(help="Such as tabletop-lift or road-lane.")],
    folder: Annotated[Positional[Path], arg(help="Where the recording is or will be.")],
    episodes: Annotated[int, arg(help="How many the folder is to hold in the end.")] = 1000,
    seed: Annotated[int, arg(help="Decides every episode.")] = 0,
    noise: Annotated[
        float, arg(help="How strongly half of the episodes are disturbed; 0 for none.")
    ] = 0.4,
    processes: Annotated[int, arg(help="Worker processes.")] = 2,
    all_attempts: Annotated[bool, arg(help="Keep episodes in which the expert fails.")] = False,
) -> None:
    """Record scripted experts in simulation as a LeRobot v3 data set.

    Run it again to go on with a recording that was stopped, or to make it longer.
    """
    from octoverse.data.record import record as run

    found = run(
        environment,
        folder,
        episodes,
        seed=seed,
        noise=noise,
        processes=processes,
        only_success=not all_attempts,
    )
    rate = found.new_steps / max(found.seconds, 1e-9)
    print(
        f"{found.folder} holds {found.episodes} episodes, {found.steps} steps "
        f"({found.attempts} attempts and {found.new_steps} steps in {found.seconds:.0f} s, "
        f"{rate:.0f} steps/s)."
    )
