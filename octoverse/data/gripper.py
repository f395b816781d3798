"""Gripper conventions of data sets turned into ours: 1 = open, 0 = closed.

Every function takes one number a step, (t, 1), and gives openings (t, 1); and, where not every
step has one, which of them are real, bool (t,).
"""

import numpy as np

STILL = 0.1
"""A command to change that is smaller says nothing: some data sets store noise around zero."""
FRANKA_WIDTH = 0.08
"""Of the Franka Hand when it is open [m]. Source: Franka Emika, "Franka Hand Product Manual"."""


def opposite(closed: np.ndarray) -> np.ndarray:
    """Openings, from how far it is closed: 1 = closed, 0 = open."""
    return 1.0 - np.clip(np.asarray(closed, np.float32), 0.0, 1.0)


def within(opening: np.ndarray) -> np.ndarray:
    """Openings that are ours already, but for what lies outside [0, 1], such as -1 = closed."""
    return np.clip(np.asarray(opening, np.float32), 0.0, 1.0)


def of_sign(closing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Openings, from a sign: positive = closed, negative = open, zero = nothing was recorded."""
    closing = np.asarray(closing, np.float32)
    return (closing < 0).astype(np.float32), closing[:, 0] != 0


def held(closing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Openings, from commands to change: positive = close, negative = open, about zero = stay.

    A command holds until the next. Before the first one the gripper must have been the other way,
    or it would not have been commanded. An episode without any command says nothing.
    """
    closing = np.asarray(closing, np.float32)[:, 0]
    told = np.abs(closing) > STILL
    if not told.any():
        return np.zeros((len(closing), 1), np.float32), told
    opened = (closing < 0).astype(np.float32)
    first = int(np.argmax(told))
    last = np.maximum.accumulate(np.where(told, np.arange(len(closing)), -1))
    found = np.where(last < 0, 1.0 - opened[first], opened[last.clip(0)])
    return found[:, None].astype(np.float32), np.ones(len(closing), bool)


def of_franka_width(width: np.ndarray) -> np.ndarray:
    """Openings, from the width between the fingers of a Franka Hand [m]."""
    return np.asarray(width, np.float32) / np.float32(FRANKA_WIDTH)
