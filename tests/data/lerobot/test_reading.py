import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.standard import Standard, Taken
from octoverse.errors import BadConfig, BadData, UnknownName

LENGTHS = [12, 5, 9]


def inverted(numbers: np.ndarray) -> np.ndarray:
    return 1 - numbers


STANDARD = Standard(
    embodiment="dobot_cr5",
    observation={
        "wrist": Taken(feature="observation.images.top"),
        "joints": Taken(feature="observation.state"),
    },
    action={
        "arm": Taken(feature="action", stop=6),
        "gripper": Taken(feature="action", start=6, stop=7, convert=inverted),
    },
    instruction={"instruction": "task"},
)


@pytest.fixture(scope="module", params=["v2.0", "v2.1", "v3.0"])
def whole(
    request: pytest.FixtureRequest, made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    yield made.folders[request.param](tmp_path_factory.mktemp("set") / "data", LENGTHS)


@pytest.fixture
def v2(made: SimpleNamespace, tmp_path: Path) -> Path:
    folder: Path = made.folders["v2.1"](tmp_path / "v2", [6, 4])
    return folder


@pytest.fixture
def v3(made: SimpleNamespace, tmp_path: Path) -> Path:
    folder: Path = made.folders["v3.0"](tmp_path / "v3", [6, 4])
    return folder


def source(folder: Path, **settings: Any) -> LeRobotSource:
    return LeRobotSource(folder=folder, **({"standard": STANDARD} | settings))


def rewrite(path: Path, **columns: Any) -> None:
    table = pq.read_table(path)
    for name, values in columns.items():
        name = name.replace("__", ".")
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, path)


def test_every_version_reads_the_same(whole: Path, made: SimpleNamespace) -> None:
    found = source(whole)
    assert found.lengths().tolist() == LENGTHS
    for e, steps in enumerate(LENGTHS):
        episode = found.episode(e)
        at = np.arange(steps, dtype=np.float32)[:, None]
        assert np.array_equal(episode.observation["joints"], at + np.arange(6) + 100 * e)
        assert np.allclose(episode.action["arm"], 0.01 * at * np.ones(6))
        assert np.allclose(episode.action["gripper"], 1 - 0.01 * at)
        assert episode.observation["instruction"] == [["push", "pull"][e % 2]] * steps
        assert episode.times_ns.tolist() == [i * 100_000_000 for i in range(steps)]
        numbers = [made.number_of(image) for image in episode.observation["wrist"]]
        assert numbers == [100 * e + i for i in range(steps)]


def test_splits_and_fingerprints(whole: Path) -> None:
    assert source(whole, split="-1:").episode(0).key == "2"
    one, other = source(whole), source(whole, standard=replace(STANDARD, instruction={}))
    assert (
        len({one.fingerprint(), other.fingerprint(), source(whole, split=":2").fingerprint()}) == 3
    )
    assert one.fingerprint() == source(whole).fingerprint()


def test_a_source_and_its_episodes_can_be_sent_to_another_process(
    whole: Path, made: SimpleNamespace
) -> None:
    one = source(whole)
    image = one.episode(1).observation["wrist"][2]
    sent = pickle.loads(pickle.dumps(one))
    assert sent == one
    assert np.array_equal(sent.episode(1).observation["wrist"][2], image)
    episode = pickle.loads(pickle.dumps(one.episode(1)))
    assert made.number_of(episode.observation["wrist"][2]) == 102


def test_opening_an_episode_again_reads_nothing(v3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = source(v3)
    first = found.episode(0)
    monkeypatch.setattr(type(found._reading), "episode", None)
    assert found.episode(0).action["arm"] is first.action["arm"]


def test_the_index_column_and_the_first_number_may_be_anything(v3: Path) -> None:
    data, table = (
        v3 / "data/chunk-000/file-000.parquet",
        v3 / "meta/episodes/chunk-000/file-000.parquet",
    )
    rewrite(data, index=list(range(7000, 7010)), episode_index=[20] * 6 + [21] * 4)
    rewrite(table, episode_index=[20, 21])
    assert [source(v3).episode(i).key for i in range(2)] == ["20", "21"]
    assert source(v3, split="21:22").episode(0).observation["joints"][0][0] == 100


def test_columns_of_doubles_and_lists_of_any_length_are_read(v2: Path) -> None:
    path = v2 / "data/chunk-000/episode_000001.parquet"
    rewrite(path, action=[[0.5] * 7] * 4)
    assert pq.read_schema(path).field("action").type == pa.list_(pa.float64())
    assert source(v2).episode(1).action["arm"].dtype == np.float32


def test_an_irregular_clock_is_kept_and_a_nominal_one_is_made_exact(v2: Path) -> None:
    times = np.array([0.03, 0.11, 0.31, 0.4], np.float32)
    rewrite(v2 / "data/chunk-000/episode_000001.parquet", timestamp=times)
    got = source(v2).episode(1).times_ns
    assert np.array_equal(got, np.round(times.astype(np.float64) * 1e9).astype(np.int64))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0, 0.2, 0.1, 0.3], r"000001\.parquet, episode 1: .* go forward, got 0\.1.* s in row 2"),
        ([0.0, 0.1, 0.1, 0.3], r"expected time to go forward, got 0\.1.* s in row 2 after 0\.1"),
        ([0.0, float("nan"), 0.1, 0.3], r"expected a time in every row, got nan in row 1"),
    ],
)
def test_time_that_does_not_go_forward_is_refused(v2: Path, values: Any, words: str) -> None:
    rewrite(v2 / "data/chunk-000/episode_000001.parquet", timestamp=values)
    with pytest.raises(BadData, match=words):
        source(v2).episode(1)


def test_numbers_that_are_not_finite_are_named(v2: Path) -> None:
    rows = np.zeros((4, 7), np.float32)
    rows[2, 6] = np.nan
    rewrite(v2 / "data/chunk-000/episode_000001.parquet", action=list(rows))
    words = r"000001\.parquet, episode 1, 'gripper': .* got nan in row 2, dimension 0"
    with pytest.raises(BadData, match=words):
        source(v2).episode(1)


def test_a_video_shorter_than_its_table_is_named(v2: Path, v3: Path, made: SimpleNamespace) -> None:
    made.film(v2 / "videos/chunk-000/observation.images.top/episode_000001.mp4", range(3))
    images = source(v2).episode(1).observation["wrist"]
    words = r"episode_000001\.mp4, episode 1: expected 4 frames, got 3\. The video is shorter"
    for step in (0, 3):
        with pytest.raises(BadData, match=words):
            images[step]
    made.film(v3 / "videos/observation.images.top/chunk-000/file-000.mp4", range(8))
    images = source(v3).episode(1).observation["wrist"]
    words = r"file-000\.mp4, episode 1: expected 4 frames from 0\.600 s on, got 2"
    with pytest.raises(BadData, match=words):
        images[0]


def test_damaged_and_missing_videos_are_named(v2: Path) -> None:
    path = v2 / "videos/chunk-000/observation.images.top/episode_000001.mp4"
    path.write_bytes(path.read_bytes()[:400])
    images = source(v2).episode(1).observation["wrist"]
    with pytest.raises(BadData, match=r"episode_000001\.mp4: expected a video, got: "):
        images[0]
    path.unlink()
    with pytest.raises(BadData, match=r"episode_000001\.mp4: expected a video, got: No such file"):
        images[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-200]), r"000001\.parquet: expected a parquet"),
        (lambda p: p.unlink(), r"000001\.parquet: expected a parquet file, got: No such file"),
        (
            lambda p: pq.write_table(pq.read_table(p).slice(0, 3), p),
            r"000001\.parquet, episode 1: expected 4 rows, got 3",
        ),
        (
            lambda p: pq.write_table(pq.read_table(p).drop_columns(["action"]), p),
            r"000001\.parquet, episode 1: found no column 'action', though meta/info\.json names",
        ),
        (
            lambda p: rewrite(p, action=[[0.0] * 6] * 4),
            r"'action': expected \(7,\) numbers in each of 4 rows .*, got 24 of type double in all",
        ),
        (
            lambda p: rewrite(p, task_index=[0, 0, 7, 0]),
            r"'task_index': expected an index of 2 tasks, got \[7\]",
        ),
    ],
)
def test_a_damaged_table_is_named(v2: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(v2 / "data/chunk-000/episode_000001.parquet")
    with pytest.raises(BadData, match=words):
        source(v2).episode(1)


def test_an_episode_without_steps_is_named(v2: Path) -> None:
    path = v2 / "meta/episodes.jsonl"
    path.write_text(path.read_text().replace('"length": 4', '"length": 0'))
    with pytest.raises(BadData, match="episode 1: expected at least one time step, got 0"):
        source(v2).lengths()


def test_an_empty_data_set_is_named(v2: Path) -> None:
    (v2 / "meta/episodes.jsonl").write_text("")
    info = json.loads((v2 / "meta/info.json").read_text())
    (v2 / "meta/info.json").write_text(json.dumps(info | {"total_episodes": 0}))
    with pytest.raises(BadData, match="expected at least one episode, the data set is empty"):
        len(source(v2))


def test_declarations_that_do_not_fit_are_refused(v2: Path) -> None:
    def opened(**changes: Any) -> Any:
        return source(v2, standard=replace(STANDARD, **changes)).episode(0)

    camera = {"wrist": Taken(feature="observation.images.front")}
    with pytest.raises(
        BadData, match=r"names the feature 'observation\.images\.front', which .* la"
    ):
        opened(observation=camera)
    with pytest.raises(BadData, match=r"of images or video for the camera 'wrist', got float32"):
        opened(observation={"wrist": Taken(feature="observation.state")})
    with pytest.raises(BadData, match=r"'joints': expected \(6,\) numbers a step, got \(4,\)"):
        opened(observation={"joints": Taken(feature="observation.state", stop=4)})
    with pytest.raises(UnknownName, match="No stream of 'dobot_cr5' named 'joint'"):
        opened(observation={"joint": Taken(feature="observation.state")})
    with pytest.raises(UnknownName, match="No action group of 'dobot_cr5' named 'hand'"):
        opened(action={"hand": Taken(feature="action")})
    top = Taken(feature="observation.images.top", convert=inverted)
    with pytest.raises(BadConfig, match=r"'dobot_cr5\.wrist': a camera is taken from one whole"):
        opened(observation={"wrist": top})
    with pytest.raises(BadConfig, match="black_is_absent"):
        opened(black_is_absent=("wrist",))
