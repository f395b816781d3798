from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from octoverse.augmentation import Augmentation
from octoverse.data.cutting import cut
from octoverse.data.kept import SOURCES
from octoverse.data.mixture import Mixture, MixtureState
from octoverse.data.source import Source, check_index
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData
from octoverse.preprocess import Preprocess, PreprocessConfig
from octoverse.registry import load

SMALL = Preprocess(PreprocessConfig(height=8, width=8))


@dataclass(frozen=True, kw_only=True)
class Made:
    """Episodes whose tool's x is a number unique to the step."""

    name: str = "made"
    embodiment: str = "tabletop_arm"
    sizes: tuple[int, ...] = (5, 9, 3)
    pixels: int = 8
    reads: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sizes)

    def lengths(self) -> np.ndarray:
        return np.array(self.sizes)

    def fingerprint(self) -> str:
        return f"{self.name}-{self.sizes}"

    def episode(self, index: int) -> Episode:
        check_index(self, index)
        self.reads.append(index)
        count, rng = self.sizes[index], np.random.default_rng(index)
        tool = rng.normal(size=(count, 5)).astype(np.float32)
        tool[:, 0] = sum(self.sizes[:index]) + np.arange(count)
        shape = (count, self.pixels, self.pixels, 3)
        if self.embodiment == "rc_car":
            return Episode(
                embodiment="rc_car",
                source=self.name,
                key=str(index),
                times_ns=np.arange(count) * 50_000_000,
                observation={"front": rng.integers(0, 256, shape, np.uint8)},
                action={"pedals": rng.uniform(-1, 1, (count, 2))},
            )
        return Episode(
            embodiment="tabletop_arm",
            source=self.name,
            key=str(index),
            times_ns=np.arange(count) * 100_000_000,
            observation={
                "table": rng.integers(0, 256, shape, np.uint8),
                "wrist": rng.integers(0, 256, shape, np.uint8),
                "tool": tool,
                "instruction": [f"episode {index}"] * count,
            },
            action={"arm": rng.normal(size=(count, 4)), "gripper": np.ones((count, 1))},
        )


@contextmanager
def mixture(*sources: Source, **settings: object) -> Iterator[Mixture]:
    settings = {"batch_size": 4, **settings}
    weighted = [Weighted(source=source) for source in sources]
    with closing(Mixture(weighted, WindowSpec(), SMALL, **settings)) as made:  # type: ignore[arg-type]
        yield made


def seen(batch: dict[str, StackedWindows]) -> list[int]:
    return [int(x) for x in batch["tabletop_arm"].streams["tool"][:, -1, 0]]


def equal(one: dict[str, StackedWindows], other: dict[str, StackedWindows]) -> bool:
    if one.keys() != other.keys():
        return False
    for name, left in one.items():
        right = other[name]
        for part in ("streams", "valid", "action", "action_valid"):
            a, b = getattr(left, part), getattr(right, part)
            if a.keys() != b.keys() or not all(np.array_equal(a[k], b[k]) for k in a):
                return False
        if not np.array_equal(left.seeds, right.seeds):
            return False
    return True


def test_every_step_comes_once_an_epoch_and_epochs_differ() -> None:
    with mixture(Made(sizes=(5, 9, 6))) as mixed:
        epochs = [[x for _ in range(5) for x in seen(mixed.next())] for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(20))
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_the_seed_decides_the_stream_whatever_works_ahead(prefetch: int) -> None:
    car = Made(name="car", embodiment="rc_car")
    with (
        mixture(Made(), car, seed=3) as one,
        mixture(Made(), car, seed=3, prefetch=prefetch) as same,
        mixture(Made(), car, seed=4) as other,
    ):
        pairs = [(one.next(), same.next(), other.next()) for _ in range(6)]
    assert all(equal(a, b) for a, b, _ in pairs)
    assert not all(equal(a, c) for a, _, c in pairs)


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("taken", [0, 1, 7])
def test_a_restored_mixture_goes_on_exactly(prefetch: int, taken: int) -> None:
    car = Made(name="car", embodiment="rc_car")
    with mixture(Made(), car, prefetch=prefetch) as whole, mixture(Made(), car) as later:
        for _ in range(taken):
            whole.next()
        state = msgspec.json.decode(msgspec.json.encode(whole.state()), type=MixtureState)
        later.next()
        later.restore(state)
        assert all(equal(whole.next(), later.next()) for _ in range(8))


def test_ranks_share_an_epoch_without_overlap_and_agree_on_counts() -> None:
    car = Made(name="car", embodiment="rc_car", sizes=(40,))
    got = []
    counts = []
    for rank in range(2):
        with mixture(Made(sizes=(6, 6)), car, rank=rank, world=2, batch_size=4) as mixed:
            batches = [mixed.next() for _ in range(6)]
        counts.append([{k: len(v) for k, v in batch.items()} for batch in batches])
        rows = [x for b in batches if "tabletop_arm" in b for x in seen(b)]
        got.append(rows[:6])
    assert counts[0] == counts[1]
    assert sorted(got[0] + got[1]) == list(range(12))


def test_weights_decide_how_often_a_source_is_drawn() -> None:
    entries = [
        Weighted(source=Made(), weight=3.0),
        Weighted(source=Made(name="car", embodiment="rc_car", sizes=(100,)), weight=1.0),
    ]
    mixed = Mixture(entries, WindowSpec(), SMALL, batch_size=6)
    drawn = [len(mixed.next()["tabletop_arm"]) for _ in range(400)]
    assert set(drawn) == {4, 5}
    assert np.mean(drawn) == pytest.approx(4.5, abs=0.1)


def test_two_sources_of_one_body_stack_together() -> None:
    with mixture(Made(name="a"), Made(name="b")) as mixed:
        batch = mixed.next()
    assert list(batch) == ["tabletop_arm"] and len(batch["tabletop_arm"]) == 4


@pytest.mark.parametrize(
    "spec",
    [
        WindowSpec(),
        WindowSpec(frames=3, spacing=2, horizon=4),
        WindowSpec(frames=3, spacing=3, streams=("tool", "table")),
        WindowSpec(frames=2, spacing=7),
    ],
)
def test_a_batch_equals_its_windows_cut_one_by_one(spec: WindowSpec) -> None:
    source, body = Made(pixels=12), load("embodiment", "tabletop_arm")
    starts = np.cumsum([0, *source.sizes])
    mixed = Mixture([Weighted(source=source)], spec, SMALL, batch_size=16)
    batch = mixed.next()["tabletop_arm"]
    windows = []
    for x in batch.streams["tool"][:, -1, 0]:
        which = int(np.searchsorted(starts, x, side="right")) - 1
        windows.append(cut(source.episode(which), int(x - starts[which]), body, spec, SMALL))
    slow = StackedWindows.from_windows(windows)
    for part in ("streams", "valid", "action", "action_valid"):
        fast, true = getattr(batch, part), getattr(slow, part)
        assert fast.keys() == true.keys()
        for name in true:
            assert np.array_equal(fast[name], true[name]), name
            if isinstance(true[name], np.ndarray):
                assert fast[name].dtype == true[name].dtype, name


def test_all_that_fits_in_the_memory_is_read_once() -> None:
    source = Made()
    with mixture(source) as mixed:
        for _ in range(30):
            mixed.next()
    assert sorted(source.reads) == [0, 1, 2]


def test_the_memory_is_shared_between_sources_episodes_and_pictures() -> None:
    with mixture(Made(), memory_bytes=10_000_000):
        assert 2_000_000 < SOURCES.limit < 2_500_000


def test_an_episode_larger_than_its_share_of_the_memory_is_refused() -> None:
    with (
        mixture(Made(pixels=64), memory_bytes=400_000) as mixed,
        pytest.raises(
            BadConfig,
            match=r"'made', episode \d: expected at most [\d,]+ bytes \(25% of .*more mem",
        ),
    ):
        mixed.next()


def test_training_jitters_images_and_validation_does_not() -> None:
    jitter = Preprocess(
        PreprocessConfig(height=8, width=8, augmentation=Augmentation(brightness=0.3))
    )
    plain, trained, again, judged = (
        Mixture([Weighted(source=Made())], WindowSpec(), p, batch_size=8, augment=a).next()
        for p, a in [(SMALL, True), (jitter, True), (jitter, True), (jitter, False)]
    )
    assert equal(trained, again) and equal(plain, judged)
    assert not equal(plain, trained)


@dataclass(frozen=True, kw_only=True)
class Broken(Made):
    def episode(self, index: int) -> Episode:
        raise BadData("the record is torn")


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_fault_while_reading_reaches_the_caller(prefetch: int) -> None:
    with mixture(Broken(), prefetch=prefetch) as mixed:
        for _ in range(2):
            with pytest.raises(BadData, match="the record is torn"):
                mixed.next()


def test_bad_settings_are_refused() -> None:
    with pytest.raises(BadConfig, match="at least one source, got none"):
        Mixture([], WindowSpec(), SMALL, batch_size=1)
    with (
        pytest.raises(BadConfig, match=r"rank below world, .*got 4, 2 and 2, 0 and 0"),
        mixture(Made(), rank=2, world=2),
    ):
        pass
    with pytest.raises(BadConfig, match="specs lack the body 'tabletop_arm'"):
        Mixture([Weighted(source=Made())], {}, SMALL, batch_size=1)
    with (
        pytest.raises(BadData, match=r"expected at least 1 steps .*got 0"),
        mixture(Made(sizes=())),
    ):
        pass
    with mixture(Made()) as mixed, mixture(Made(sizes=(4, 4))) as other:
        with pytest.raises(BadConfig, match="Cannot go on in this mixture: sources was"):
            mixed.restore(other.state())
