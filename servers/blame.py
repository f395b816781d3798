"""Ask a policy for a batch, and where it fails find out whose request makes it fail.

What failed together is computed one by one, so that one robot alone is told so. Whose request
failed alone is computed apart from the others until one of its requests succeeds: so it costs them
their memory once, and no more than one call of the policy each time.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from octoverse.acting import ActingPolicy, check_chunk
from octoverse.episode import ActionChunk
from octoverse.errors import SpecMismatch
from octoverse.servers.batcher import Waiting

logger = logging.getLogger(__name__)


def ask(
    policy: ActingPolicy,
    batch: Sequence[Waiting],
    memories: Sequence[dict[str, Any]],
    wanted: Callable[[], bool],
) -> Mapping[Waiting, ActionChunk | Exception]:
    """Give a chunk for each request, or why there is none.

    Args:
        policy: What computes.
        batch: The requests, of one robot each.
        memories: What the policy remembers of each robot; is forgotten where it fails.
        wanted: Whether anybody still waits; once nobody does, the answers are incomplete.
    """
    found: dict[Waiting, ActionChunk | Exception] = {}
    remembered = dict(zip(batch, memories, strict=True))
    groups = [[*batch]]
    if len(batch) > 1 and (suspects := [one for one in batch if one.robot.suspect]):
        groups = [[one for one in batch if one not in suspects], *([one] for one in suspects)]
    for group in filter(None, groups):
        if not wanted():
            break
        try:
            chunks = policy.act([r.observation for r in group], [remembered[r] for r in group])
            if len(chunks) != len(group):
                raise SpecMismatch(f"chunks: expected {len(group)} of them, got {len(chunks)}.")
        except Exception as error:
            names = ", ".join(request.robot.name for request in group)
            logger.exception("the policy failed on a batch of %d: %s", len(group), names)
            for request in group:
                remembered[request] = _afresh(request)
            if len(group) > 1:
                groups += [[request] for request in group]
            else:
                found[group[0]] = error
                group[0].robot.suspect = True
        else:
            for request, chunk in zip(group, chunks, strict=True):
                found[request] = _checked(policy, request, chunk)
                request.robot.suspect = False
    return found


def _checked(policy: ActingPolicy, request: Waiting, chunk: ActionChunk) -> ActionChunk | Exception:
    body = policy.bodies[request.observation.embodiment]
    at_ns = request.observation.observed_at_ns
    try:
        check_chunk(body, policy.horizons[body.name], chunk, at_ns)
    except Exception as error:  # whatever a policy may give for a chunk
        logger.exception("%s: %s", request.robot.name, error)
        return error
    return chunk


def _afresh(request: Waiting) -> dict[str, Any]:
    """Forget what a policy remembers of a robot, and give what it may use for this one request.

    The robot may have been told something else meanwhile: what is worked out from these words
    must not be taken for what belongs to those.
    """
    session = request.robot.session
    session.forget()
    return {**session.memory, "instruction": {}}
