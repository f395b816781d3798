"""Look at the parts of a service, and tell what they are at in one status."""

import time

from octoverse.servers.engine import Engine
from octoverse.servers.faults import Faults
from octoverse.servers.robots import Robot, Robots
from octoverse.servers.status import RobotStatus, ServerStatus


def snapshot(
    engine: Engine,
    faults: Faults,
    robots: Robots,
    began: float,
    trouble: str = "",
    reload_failures: int = 0,
) -> ServerStatus:
    """Copy the figures; what only a transport knows stays empty.

    Args:
        engine: What computes, and what waits for it.
        faults: Answered so far.
        robots: Those with a session.
        began: When the service began, monotonic [s].
        trouble: Why robots cannot be answered, in words, if the engine does not know it.
        reload_failures: How many models could not be put in force.
    """
    now, policy, batcher = time.monotonic(), engine.policy, engine.batcher
    known = list(robots)
    trouble = trouble or engine.lost or ("The policy hangs." if engine.hangs else "")
    return ServerStatus(
        model=policy.model,
        model_s=now - engine.since,
        statistics=policy.statistics,
        address="",
        uptime_s=now - began,
        healthy=not trouble,
        trouble=trouble,
        bodies=tuple(policy.bodies),
        robots=tuple(_robot(robot, now) for robot in known),
        window_bytes=sum(robot.session.window_bytes for robot in known),
        queue=len(batcher),
        requests=engine.requests,
        answered=engine.tally.answered,
        batches=engine.tally.batches,
        mean_batch=engine.tally.answered / max(engine.tally.batches, 1),
        inference_ms=1000 * batcher.inference,
        load=engine.tally.load,
        faults=faults.counts,
        unsent=0,
        connections=0,
        cut=0,
        reloads=engine.model,
        reload_failures=reload_failures,
        hung=engine.hung,
        timings={name: timing.copy() for name, timing in engine.tally.timings.items()},
    )


def _robot(robot: Robot, now: float) -> RobotStatus:
    missed, faults = robot.faults["stale"], sum(robot.faults.values())
    return RobotStatus(
        number=robot.number,
        body=robot.session.body.name,
        client=robot.client,
        peer=robot.peer,
        instruction=robot.instruction,
        requests=robot.requests,
        hz=robot.hz,
        latency_ms=robot.latency_ms,
        missed=missed,
        refused=faults - missed,
        silent_s=now - robot.heard,
        queued=len(robot.inbox),
    )
