"""A random order of n things that takes no memory: the place of each is computed when asked.

A shuffled list of a million steps would have to be held by every process; this holds a seed.

Source: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002, section 5 (a generalised
Feistel network) and section 4 (cycle walking).
"""

from dataclasses import dataclass

import numpy as np

_ROUNDS = 6


@dataclass(frozen=True)
class Permutation:
    """One order of 0 to n - 1.

    Args:
        size: n, from 1 to 2^62.
        seed: Decides the order.
    """

    size: int
    seed: int

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """What stands at these places, int64 of the same shape; each is from 0 to n - 1."""
        places = np.asarray(places)
        if places.size and (places.min() < 0 or places.max() >= self.size):
            raise IndexError(f"Places go from 0 to {self.size - 1}, got {places}.")
        found = self._mixed(places.astype(np.uint64).reshape(-1))
        # The network permutes a few more numbers than n; walk on until back among the n.
        outside = found >= self.size
        while outside.any():
            found[outside] = self._mixed(found[outside])
            outside = found >= self.size
        return found.astype(np.int64).reshape(places.shape)

    def _mixed(self, numbers: np.ndarray) -> np.ndarray:
        bits = max(2, int(self.size - 1).bit_length())
        low_bits = bits // 2
        left, right = numbers >> np.uint64(low_bits), numbers & np.uint64(2**low_bits - 1)
        wide, narrow = bits - low_bits, low_bits
        for turn in range(_ROUNDS):
            key = np.uint64((self.seed * 0x9E3779B97F4A7C15 + turn * 0xD1B54A32D192ED03) % 2**64)
            left, right = right, left ^ (_hash(right ^ key) & np.uint64(2**wide - 1))
            wide, narrow = narrow, wide
        return (left << np.uint64(low_bits)) | right


def _hash(numbers: np.ndarray) -> np.ndarray:
    """Spread every bit over all others (the finaliser of SplitMix64)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
