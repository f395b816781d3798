"""How a server's clock stands to this robot's, and how long a frame takes to get there.

Both clocks are monotonic and start anywhere. A message that leaves here at `sent` is received there
no earlier, and an answer that leaves there arrives here no earlier: so each exchange bounds the
offset from above and from below, and the fastest ways lately, there and back, bound it best.
"""

import math
from collections import deque

_DRIFT = 1e-4
"""By how much two clocks may run apart; what is known loosens at this rate."""
_FRAMES = 9


class ServerClock:
    """Estimates the offset of a server's clock from the times of exchanges."""

    def __init__(self) -> None:
        self.round_trip_ms: float | None = None
        """Of the last exchange, without the time that the server took."""
        self.jumps = 0
        """How often the server's clock turned out to be another than before."""
        self._low = self._high = 0
        self._heard: int | None = None
        self._ways: deque[int] = deque(maxlen=_FRAMES)

    def add(
        self, sent: int, received: int, answered: int, arrived: int, *, frame: bool = False
    ) -> None:
        """Learn from one exchange; times in ns.

        Args:
            sent: When the message left, by this clock.
            received: When it was received, by the server's.
            answered: When the answer left, by the server's.
            arrived: When it was here, by this clock.
            frame: Whether the message was large: `uplink_ms` tells the way there of those.
        """
        low, high = answered - arrived, received - sent
        since = math.ceil(_DRIFT * (arrived - sent)) + 1
        if low > high + since:
            return  # An answer that took longer there than here tells nothing.
        self.round_trip_ms = max(0, high - low) * 1e-6
        if frame:
            self._ways.append(high)
        high += since  # the bound is of when it was received; the offset is that of now
        if self._heard is not None:
            loose = round(_DRIFT * max(0, arrived - self._heard)) + 1
            both = max(low, self._low - loose), min(high, self._high + loose)
            if both[0] <= both[1]:
                low, high = both
            else:  # No offset explains both: the server's machine began anew, or is another.
                self.jumps += 1
                self._ways.clear()
        self._low, self._high, self._heard = low, high, arrived

    @property
    def offset_ns(self) -> int | None:
        """The server's clock less this one; None before the first exchange."""
        return None if self._heard is None else (self._low + self._high) // 2

    @property
    def error_ns(self) -> int | None:
        """How far off the offset may be, at most; None before the first exchange."""
        return None if self._heard is None else (self._high - self._low + 1) // 2

    @property
    def uplink_ms(self) -> float:
        """What frames lately took to get there; 0 before the first one."""
        if not self._ways:
            return 0.0
        usual = sorted(self._ways)[len(self._ways) // 2]
        return max(0.0, (usual - (self._low + self._high) // 2) * 1e-6)
