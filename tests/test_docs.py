"""What README and docs say is so: their examples run, their commands parse, their tables are full.

A page's blocks are taken in order, in an empty folder. A block that begins with a comment naming a
file is written there, other Python runs in one namespace, shell lines are run or parsed.
"""

import contextlib
import functools
import importlib
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from octoverse import registry
from octoverse.cli import main
from octoverse.cli.check import random_statistics
from octoverse.config import PolicyConfig
from octoverse.embodiment import ActionGroup, Embodiment, Stream
from octoverse.episode import Action, Frame
from octoverse.evaluation import results
from octoverse.policy import Policy
from octoverse.recipes import demo
from octoverse.servers.frontend import load
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
CLIENTS = "docs/existing_clients.md"
ELSEWHERE = {"docs/wire.md": "tests/servers/test_wire_document.py", CLIENTS: "below"}
RUN = [page for page in PAGES if page not in ELSEWHERE]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

HEADINGS = {
    "embodiment": "bodies",
    "tokenizer": "tokenizers",
    "readout": "readouts",
    "codec": "codecs",
    "server": "servers",
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\S+\.(?:py|toml|csv))\n")


class Robot:
    """Stands for a reader's robot: a few random frames, and whatever actions fit its body.

    It is patient: an answer of a busy machine may come long after the few frames.
    """

    def __init__(self, body: Embodiment) -> None:
        self.body, self.left = body, 5
        self.rng = np.random.default_rng(0)
        self.moved: list[Action] = []

    def running(self) -> bool:
        self.left -= 1
        return self.left >= 0 or (not self.moved and self.left > -600)

    def see(self) -> Frame:
        return random_frame(self.body, self.rng)

    def do(self, action: Action) -> None:
        self.body.check_action(action)
        self.moved.append(action)


class Reader:
    """Does what a page says, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        self.folder, self.text, self._patch = folder, text, monkeypatch
        self.trains = False
        """Whether training on what the page itself has made is run, for two steps."""
        self.known: dict[str, Any] = {"__name__": "__main__"}
        self.trained = 0
        self._real = main._function

    def read(self) -> None:
        for match in BLOCK.finditer(self.text):
            kind, content = match.groups()
            line = self.text.count("\n", 0, match.start()) + 2
            named = FILE.match(content)
            if named:
                path = self.folder / named[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content[named.end() :])
            elif kind == "python":
                exec(compile("\n" * (line - 1) + content, "page", "exec"), self.known)
            elif kind == "sh":
                for command in content.replace("\\\n", " ").splitlines():
                    self.shell(shlex.split(command, comments=True))

    def shell(self, words: list[str]) -> None:
        match words:
            case []:
                pass
            case ["octoverse", *arguments]:
                self._forget()
                runs = self._runs(arguments)
                if runs and arguments[0] == "train":
                    arguments += ["--steps", "2", "--batch-size", "4", "--threads", "1"]
                self._patch.setattr(main, "_function", self._real if runs else self._parsed)
                assert main.run(arguments) == 0, words
            case ["make", target]:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            case ["pip", "install", "-e", place] if place.startswith("./"):
                self.install(self.folder / place)
            case ["pip", "install", *packages]:
                self.check_extras(packages)
            case ["python", script, *options] if script.startswith("benchmarks/"):
                code = (ROOT / script).read_text()
                for option in options:
                    if option.startswith("--"):
                        assert re.search(rf"^    {option[2:]}: ", code, re.MULTILINE), option
            case ["apt-get", "install", "-y", *packages]:
                assert " ".join(packages) in (ROOT / "requirements/check_gl.py").read_text()
            case ["pytest", place]:
                self.run_tests(self.folder / place)
            case _:
                pytest.fail(f"nobody checks this command: {shlex.join(words)}")

    def install(self, package: Path) -> None:
        """Do what pip does with a package of pure Python, as far as entry points see it."""
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        about = package / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: 0.1.0\n")
        lines = []
        for group, entries in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (about / "entry_points.txt").write_text("\n".join(lines))
        self._patch.syspath_prepend(package)
        registry._entries.cache_clear()

    def run_tests(self, package: Path) -> None:
        """Run the tests of a package that take no arguments."""
        [path] = package.glob("tests/test_*.py")
        known: dict[str, Any] = {}
        exec(compile(path.read_text(), str(path), "exec"), known)
        tests = [known[name] for name in known if name.startswith("test_")]
        plain = [test for test in tests if not hasattr(test, "pytestmark")]
        assert plain
        for test in plain:
            test()

    def check_extras(self, packages: list[str]) -> None:
        for package in packages:
            found = re.fullmatch(r"(?:octoverse|\.)(?:\[([\w,]+)\])?", package)
            if package == "-e":
                continue
            assert found, package
            extras = (found[1] or "").split(",")
            assert set(extras) <= {"", *PROJECT["optional-dependencies"]}, package

    def _runs(self, arguments: list[str]) -> bool:
        """Whether a command is run; the others are parsed."""
        if arguments[:2] == ["data", "inspect"]:
            return (self.folder / arguments[2]).exists()
        if arguments[0] == "train" and self.trains:
            self.trained += 1
            return True
        return arguments[0] == "embodiments"

    def _forget(self) -> None:
        """Let every command begin as a process of its own would: with what the files say now."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(self.folder)):
                del sys.modules[name]
        registry._entries.cache_clear()
        importlib.invalidate_caches()

    def _parsed(self, target: str) -> Callable[..., None]:
        real = self._real(target)

        @functools.wraps(real)
        def nothing(*arguments: object, **options: object) -> None:
            pass

        return nothing


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Reader]]:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    made: list[Reader] = []

    def read(page: str) -> Reader:
        made.append(Reader(tmp_path, monkeypatch, (ROOT / page).read_text()))
        return made[-1]

    yield read
    monkeypatch.undo()
    for one in made:
        one._forget()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the demo's policy, untrained."""
    rng = np.random.default_rng(0)
    config: PolicyConfig = demo.policy_config()
    bodies = {name: registry.load("embodiment", name) for name in config.bodies}
    statistics = {name: random_statistics(body, rng) for name, body in bodies.items()}
    with Server(Policy(config, bodies, statistics).eval(), address="tcp://127.0.0.1:0") as server:
        yield server


@pytest.mark.parametrize("page", RUN)
def test_every_example_runs(page: str, reader: Callable[[str], Reader], server: Server) -> None:
    read = reader(page)
    robot = Robot(registry.load("embodiment", "tabletop_arm"))
    read.known["robot"] = robot
    read.text = read.text.replace("tcp://127.0.0.1:5555", server.address)
    read.read()
    if "robot.do(" in read.text:
        assert robot.moved, "the example never moved the robot"


@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")
def test_the_examples_of_existing_clients_run(
    reader: Callable[[str], Reader], server: Server, tmp_path: Path
) -> None:
    pytest.importorskip("openpi_client", reason="needs openpi's own client")
    read = reader(CLIENTS)
    read.text = re.sub(r"(address = \"127.0.0.1:)\d+", r"\g<1>0", read.text)
    blocks = [content for kind, content in BLOCK.findall(read.text) if kind == "toml"]
    [more] = [content for content in blocks if not FILE.match(content)]
    with contextlib.ExitStack() as stack:
        for content in filter(FILE.match, blocks):
            (tmp_path / "map.toml").write_text(content + more)
            one = stack.enter_context(load(tmp_path / "map.toml", server.service))
            asked = {"openpi": 8000, "groot": 5556}[one.settings.frontend]
            port = one.address.partition(":")[2]
            read.text = read.text.replace(f'"127.0.0.1", {asked}', f'"127.0.0.1", {port}')
        read.read()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/add_a_body.md", "docs/add_a_data_set.md"])
def test_training_on_the_page_s_data_runs(page: str, reader: Callable[[str], Reader]) -> None:
    read = reader(page)
    read.trains = True
    read.read()
    assert read.trained == 1
    assert list(read.folder.glob("runs/*/checkpoints/step-00000002/model.safetensors"))


@pytest.mark.parametrize("kind", HEADINGS)
def test_the_readme_lists_every_plug_in_of_ours(kind: registry.Kind) -> None:
    [table] = re.findall(rf"^\| {HEADINGS[kind]}.*\n\|.*\n((?:\|.*\n)+)", README, re.MULTILINE)
    listed = re.findall(r"^\| `(\w+)` \| \S", table, re.MULTILINE)
    assert listed == sorted(PROJECT["entry-points"][f"octoverse.{kind}s"])


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = BLOCK.sub("", (ROOT / page).read_text())
    for link in re.findall(r"\]\(([^)]+)\)", text):
        place, _, heading = link.partition("#")
        if place.startswith("https://"):
            continue
        found = (ROOT / page).parent / place if place else ROOT / page
        assert found.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            assert heading in [title.lower().replace(" ", "-") for title in titles], link


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = BLOCK.sub("", (ROOT / page).read_text())
    shelves = "octoverse|embodiments|tokenizers|readouts|servers|benchmarks|requirements"
    for name in re.findall(rf"`(?:python )?((?:{shelves})/[\w/.]+\.\w+)`", text):
        assert (ROOT / name).is_file(), name


def test_the_page_on_bodies_lists_every_kind_of_stream_and_action_group() -> None:
    page = (ROOT / "docs/add_a_body.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    seen, moved = (set(re.findall(r"`(\w+)`", " ".join(r[i] for r in rows))) for i in (1, 3))
    assert seen == {kind.__name__ for kind in get_args(Stream)}
    assert moved == {kind.__name__ for kind in get_args(ActionGroup)}


def test_the_rows_of_the_demo_are_those_of_the_worlds() -> None:
    rows = re.findall(r"^\| `(\w+/\w+)`", README, re.MULTILINE)
    environments = [registry.load("environment", name) for name in registry.names("environment")]
    assert sorted(rows) == sorted(one.row for one in environments)


def test_the_readme_s_figures_are_those_stored_with_the_weights() -> None:
    stored = ROOT / "octoverse/weights/demo/results.json"
    if not stored.is_file():
        pytest.skip("the demo's weights are not in this checkout")
    for row, found in results.read(stored).items():
        success, low, high = (f"{100 * x:.0f}" for x in (found.success, found.low, found.high))
        [line] = [line for line in README.splitlines() if line.startswith(f"| `{row}`")]
        assert line.endswith(f"| {success} % | {low} to {high} % |"), row


def test_the_house_is_drawn_as_it_stands() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    [drawn] = re.findall(r"^```\n(octoverse/\n.*?)^```$", page, re.DOTALL | re.MULTILINE)
    inside = set(re.findall(r"\b\w+\.py\b|\b\w+/", drawn.partition("\nembodiments/")[0]))
    rooms = {path.name for path in (ROOT / "octoverse").glob("*.py")}
    rooms |= {f"{path.name}/" for path in (ROOT / "octoverse").iterdir() if path.is_dir()}
    shelves = {"embodiments/", "tokenizers/", "readouts/", "servers/"}
    ignored = {"__init__.py", "__main__.py", "__pycache__/"}
    assert inside - {"octoverse/"} == rooms - shelves - ignored
    assert all(f"\n{shelf}" in drawn for shelf in shelves)
    assert {f"octoverse.{kind}s" for kind in get_args(registry.Kind)} == {
        f"octoverse{name}" if name.startswith(".") else name
        for name in re.findall(r"`((?:octoverse)?\.\w+s)`", page)
    }
