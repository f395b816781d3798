"""How fast this machine is right now, in figures that octoverse's own can be divided by.

A shared or throttled machine is easily three times slower than it was a minute ago; ratios to
these figures, taken in the same minute, still mean something. Run: python benchmarks/yardstick.py
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import simplejpeg
import torch
import zmq

_BUDGET = 0.7
"""Seconds for each of the figures; what is measured once takes less than a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """What the machine does, each figure the median of many runs."""

    threads: int
    """How many torch uses."""
    float32_gflops: float
    """Matrix product, 1024 x 1024 x 1024, in 1e9 operations per second."""
    bfloat16_gflops: float
    jpegs_per_second: float
    """simplejpeg, 256 x 256 RGB at quality 90, decoded by one core."""
    copy_gb_per_second: float
    """64 MB from memory to memory, bytes read or written counted once."""
    round_trip_ms: float
    """pyzmq over loopback, DEALER to ROUTER: two 224 x 224 images there, 50 x 14 floats back."""


def measure() -> Yardstick:
    """Measure for about four seconds."""
    return Yardstick(
        threads=torch.get_num_threads(),
        float32_gflops=_product(torch.float32),
        bfloat16_gflops=_product(torch.bfloat16),
        jpegs_per_second=jpegs_per_second(),
        copy_gb_per_second=_copy(),
        round_trip_ms=_round_trip() * 1e3,
    )


def jpegs_per_second() -> float:
    """That figure alone, in less than a second."""
    return 1 / _jpeg(np.random.default_rng(0))


def report(yardstick: Yardstick | None = None) -> str:
    """Say it in one line per figure; measures first if nothing is given."""
    found = yardstick or measure()
    rows = (
        ("matrix product, float32", found.float32_gflops, "GFLOP/s", f"{found.threads} threads"),
        ("matrix product, bfloat16", found.bfloat16_gflops, "GFLOP/s", f"{found.threads} threads"),
        ("JPEG decode, 256 x 256", found.jpegs_per_second, "/s", "one core"),
        ("memory copy", found.copy_gb_per_second, "GB/s", "one core"),
        ("bare pyzmq round trip", found.round_trip_ms, "ms", "two 224 x 224 images"),
    )
    return "\n".join(
        f"{what:<26}{value:>10,.4g} {unit:<8} {how}" for what, value, unit, how in rows
    )


def _seconds(run: Callable[[], object]) -> float:
    """The median time of one run, after a first one that does not count."""
    run()
    times: list[float] = []
    end = time.perf_counter() + _BUDGET
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times)


def _product(dtype: torch.dtype, size: int = 1024) -> float:
    left, right = (torch.ones(size, size, dtype=dtype) for _ in range(2))
    out = torch.empty(size, size, dtype=dtype)
    with torch.inference_mode():
        return 2 * size**3 / _seconds(lambda: torch.mm(left, right, out=out)) / 1e9


def _jpeg(rng: np.random.Generator) -> float:
    # Smooth colour with some grain, about 20 kB: noise alone would be a worst case.
    rows, columns = np.mgrid[0:256, 0:256]
    image = np.stack([rows, columns, 255 - rows], -1) + rng.normal(0, 6, (256, 256, 3))
    encoded = simplejpeg.encode_jpeg(image.clip(0, 255).astype(np.uint8), quality=90)
    return _seconds(lambda: simplejpeg.decode_jpeg(encoded))


def _copy(size: int = 64_000_000) -> float:
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    return size / _seconds(lambda: np.copyto(target, source)) / 1e9


def _round_trip() -> float:
    request, answer = bytes(2 * 224 * 224 * 3 + 14 * 4), bytes(50 * 14 * 4)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        server = threading.Thread(target=_answer, args=(router, answer))
        server.start()
        with context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.connect(f"tcp://127.0.0.1:{port}")

            def ask() -> None:
                dealer.send_multipart([b"header", request], copy=False)
                dealer.recv_multipart(copy=False)

            taken = _seconds(ask)
            dealer.send_multipart([b"stop", b""])
            server.join()
    return taken


def _answer(router: "zmq.Socket[bytes]", answer: bytes) -> None:
    while True:
        peer, header, _ = router.recv_multipart(copy=False)
        if header.bytes == b"stop":
            return
        router.send_multipart([peer, header, answer], copy=False)


if __name__ == "__main__":
    print(report())
