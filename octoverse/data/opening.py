"""Open a data set: by the name that it is declared under, or a folder by what lies in it."""

import glob
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from octoverse import registry
from octoverse.data.dataset import DataSet, open_data
from octoverse.data.logs.drive import DriveReader
from octoverse.data.source import Source
from octoverse.errors import BadConfig, BadData, OctoverseError, UnknownName


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of folder, and the file that it is known by."""

    name: str
    sign: str
    """A file or folder that a folder of this kind holds; may have wildcards."""
    open: Callable[[str, str], Source]
    """From the folder (a path, or any address that fsspec opens) and a split to a source; the
    split is empty where none is asked for."""
    guess: Callable[[str], str] | None = None
    """What the features of such a folder may mean, in words and code; empty where it is
    declared."""


def open_source(what: str | Path, root: str | Path = "", split: str = "") -> Source:
    """Open a data set.

    Args:
        what: The name of a declared data set, or a folder: a declared data set's (its path ends as
            the declaration says), or any of a kind that is known. For a folder that has the name
            of a data set, write ./NAME.
        root: Below which declared data sets lie as their distributors lay them out.
        split: Which part; what the declaration or the format opens by default unless given.

    Raises:
        UnknownName: if it is neither a declared name nor a folder, or has no such split.
        BadConfig: if it is a declared name, and there is no root.
        BadData: if the folder is of no known kind.
    """
    what = str(what)
    names = registry.names("dataset")
    if what in names:
        if not str(root):
            raise BadConfig(
                f"the data set '{what}' needs --root FOLDER (or OCTOVERSE_DATA): below it lies "
                f"{_declared(what).folder}."
            )
        return open_data(what, str(root), split)
    folder = what.rstrip("/")
    if "://" not in folder and not Path(folder).is_dir():
        if folder.startswith(("/", ".", "~")):
            raise BadData(f"{folder}: expected a folder with data, found none. Check the path.")
        raise UnknownName("data set or folder", what, names)
    declared = declared_at(folder)
    if declared is not None and not _has(folder, DESCRIPTION):
        return declared.open_split(folder, split)
    return format_of(folder).open(folder, split)


def format_of(folder: str | Path) -> Format:
    """Tell what kind of data set a folder is.

    Raises:
        BadData: if it is of no known kind; lists what was looked for.
    """
    for known in FORMATS:
        if _has(str(folder), known.sign):
            return known
    looked = ", ".join(f"{known.sign} ({known.name})" for known in FORMATS)
    raise BadData(
        f"{folder}: expected a data set, found none of {looked}. Give the folder that holds that "
        f"file, or the name of a declared data set: {', '.join(registry.names('dataset')) or '-'}."
    )


def guess_at(what: str | Path) -> str:
    """What an undeclared folder's features may mean; empty for whatever can be opened as it is.

    Raises:
        BadData: if the folder is of no known kind, or damaged.
    """
    folder = str(what).rstrip("/")
    there = "://" in folder or Path(folder).is_dir()
    if str(what) in registry.names("dataset") or not there or declared_at(folder) is not None:
        return ""
    guess = format_of(folder).guess
    return guess(folder) if guess is not None else ""


def declared_at(folder: str | Path) -> DataSet | None:
    """The declared data set that lies in a folder of this path, if it is just one."""
    parts = Path(str(folder)).resolve().parts if "://" not in str(folder) else Path(folder).parts
    found = []
    for name in registry.names("dataset"):
        try:
            one = _declared(name)
        except OctoverseError:
            continue  # It cannot be opened here; asked for by name, it says why.
        ending = Path(one.folder).parts
        if ending and parts[-len(ending) :] == ending:
            found.append(one)
    return found[0] if len(found) == 1 else None


def _declared(name: str) -> DataSet:
    declared: DataSet = registry.load("dataset", name)
    return declared


def _has(folder: str, sign: str) -> bool:
    if "://" not in folder:
        return any(True for _ in glob.iglob(f"{glob.escape(folder)}/{sign}"))
    import fsspec

    system, plain = fsspec.core.url_to_fs(folder)
    return bool(system.glob(f"{plain}/{sign}"))


def _lerobot(folder: str, split: str) -> Source:
    from octoverse.data.lerobot.source import LeRobotSource

    return LeRobotSource(folder=Path(folder), split=split)


def _guess_lerobot(folder: str) -> str:
    from octoverse.data.lerobot.guess import guess

    if _has(folder, DESCRIPTION):
        return ""
    return f"{folder} is a LeRobot data set that is not declared.\n\n{guess(Path(folder)).text}"


def _guess_rlds(folder: str) -> str:
    from octoverse.data.rlds.facts import read_facts
    from octoverse.data.rlds.guess import guess_text

    if f"oxe/{read_facts(folder, 'train').name}" in registry.names("dataset"):
        return ""
    return guess_text(folder)


def _rlds(folder: str, split: str) -> Source:
    from octoverse.data.rlds.source import RldsSource

    return RldsSource(folder=folder, split=split or "train")


def _donkeycar(folder: str, split: str) -> Source:
    from octoverse.data.logs.donkeycar import DonkeycarSource

    if split not in ("", "all", "train", "val"):
        raise UnknownName(f"split of '{folder}'", split, ("all", "train", "val"))
    return DonkeycarSource(folder=Path(folder), split=split or "all")  # type: ignore[arg-type]


def _as_declared(name: str, folder: str, split: str) -> Source:
    return _declared(name).open_split(folder, split or "all")


def _nuscenes(folder: str, split: str) -> Source:
    versions = sorted(path.name for path in Path(folder).glob("v1.0-*"))
    return _declared("nuscenes").open_split(folder, split or versions[0])


def _lyft(folder: str, split: str) -> Source:
    from octoverse.data.logs.lyft import LyftReader

    return _drives(LyftReader(folder=Path(folder)), folder, split)


def _argoverse2_sensor(folder: str, split: str) -> Source:
    from octoverse.data.logs.argoverse2_sensor import Argoverse2SensorReader

    return _drives(Argoverse2SensorReader(folder=Path(folder)), folder, split)


def _argoverse2_forecasting(folder: str, split: str) -> Source:
    from octoverse.data.logs.argoverse2_forecasting import Argoverse2ForecastingReader

    return _drives(Argoverse2ForecastingReader(folder=Path(folder)), folder, split)


def _drives(reader: DriveReader, folder: str, split: str) -> Source:
    from octoverse.data.logs.sets.opening import HELD_OUT, held_out

    if split not in ("", *HELD_OUT):
        raise UnknownName(f"split of '{folder}'", split, HELD_OUT)
    return held_out(Path(folder).name, reader, split or "all")


def _bag(folder: str, split: str) -> Source:
    from octoverse.data.logs.rosbag import bags_in

    name, bag = next(iter(bags_in(Path(folder)).items()))
    topics = ", ".join(f"{topic} ({bag.type_of(topic)})" for topic in sorted(bag.topics))
    raise BadConfig(
        f"{folder}: a ROS 2 bag needs a declaration of which topic is what, as "
        f"docs/driving_logs.md shows. The topics of '{name}': {topics}."
    )


DESCRIPTION = "meta/octoverse.json"
"""Says what a recording means; a folder that has it needs no declaration."""

FORMATS: tuple[Format, ...] = (
    Format(name="LeRobot", sign="meta/info.json", open=_lerobot, guess=_guess_lerobot),
    Format(name="RLDS", sign="dataset_info.json", open=_rlds, guess=_guess_rlds),
    Format(name="donkeycar", sign="manifest.json", open=_donkeycar),
    Format(name="nuScenes", sign="v1.0-*/scene.json", open=_nuscenes),
    Format(name="Lyft Level 5", sign="scenes/.zarray", open=_lyft),
    Format(
        name="Argoverse 2 sensor", sign="*/city_SE3_egovehicle.feather", open=_argoverse2_sensor
    ),
    Format(
        name="Argoverse 2 forecasting", sign="*/scenario_*.parquet", open=_argoverse2_forecasting
    ),
    *(
        Format(name="ROS 2 bag", sign=sign, open=_bag)
        for sign in ("metadata.yaml", "*/metadata.yaml", "*.mcap", "*.db3")
    ),
    *(
        Format(name=name, sign=sign, open=partial(_as_declared, name))
        for name, sign in (
            ("comma2k19", "*/*/global_pose"),
            ("comma2k19", "*/*/*/global_pose"),
            ("kitti-raw", "*/*/oxts"),
            ("udacity", "driving_log.csv"),
            ("sullychen", "data.txt"),
        )
    ),
)
