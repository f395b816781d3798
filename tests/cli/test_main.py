import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import pytest

from octoverse.cli import main
from octoverse.cli.main import COMMANDS, Command, run
from octoverse.errors import BadConfig

EVERY = [
    (f"{name} {sub}".strip(), command)
    for name, entry in COMMANDS.items()
    for sub, command in (entry.items() if isinstance(entry, Mapping) else [("", entry)])
]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `octoverse demo` raise an error."""

    def use(error: BaseException) -> None:
        def demo() -> None:
            raise error

        monkeypatch.setattr(main, "_function", lambda target: demo)

    monkeypatch.delenv("OCTOVERSE_DEBUG", raising=False)
    return use


def test_help_names_every_command_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, entry in COMMANDS.items():
        assert f"• {name} " in shown
        if isinstance(entry, Command):
            assert f"{entry.summary} Example: {entry.example}" in shown


def test_a_group_s_help_names_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["embodiments", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "usage: octoverse embodiments" in shown
    assert all(f"• {name} " in shown for name in ("list", "show", "check", "new"))


@pytest.mark.parametrize("arguments", [[], ["embodiments"]])
def test_without_a_command_the_help_is_shown(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 0
    assert "usage: octoverse" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "command"), EVERY)
def test_every_command_s_own_help_opens_with_its_summary(
    name: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*name.split(), "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert command.summary in shown and f"Example: {command.example}" in shown


@pytest.mark.parametrize(("name", "command"), EVERY)
def test_every_example_is_of_its_command(name: str, command: Command) -> None:
    assert command.example.startswith(f"octoverse {name}")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"octoverse {version('octoverse')}\n"


def test_an_unknown_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trian"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "octoverse: No command named 'octoverse trian'. Did you mean 'octoverse train'? Known: "
    )
    assert run(["embodiments", "lits"]) == 2
    assert "Did you mean 'octoverse embodiments list'?" in capsys.readouterr().err


def test_an_unknown_option_is_a_matter_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["embodiments", "show", "panda", "--colour"]) == 2
    assert "--colour" in capsys.readouterr().err
    assert run(["--colour"]) == 2


def test_a_missing_argument_is_a_matter_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["embodiments", "show"]) == 2
    assert "Missing from octoverse embodiments show" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadConfig("steps: expected more, got 0."), "octoverse: steps: expected more, got 0.\n"),
        (KeyboardInterrupt(), "octoverse: Stopped.\n"),
        (
            RuntimeError("it broke"),
            "octoverse: Unexpected RuntimeError: it broke. Run it again with --debug to see "
            "where.\n",
        ),
    ],
)
def test_an_error_is_one_line_without_a_traceback(
    error: BaseException,
    words: str,
    failing: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing(error)
    assert run(["demo"]) == 1
    assert capsys.readouterr().err == words


def test_debug_shows_where(
    failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(BadConfig("steps."))
    with pytest.raises(BadConfig, match=r"steps\."):
        run(["demo", "--debug"])
    monkeypatch.setenv("OCTOVERSE_DEBUG", "1")
    with pytest.raises(BadConfig, match=r"steps\."):
        run(["demo"])


def test_without_tyro_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert run(["--help"]) == 1
    assert capsys.readouterr().err == (
        "octoverse: The command line needs the package 'tyro', which is not installed. "
        'Install it with: pip install "octoverse[policy]"\n'
    )


@pytest.mark.parametrize("arguments", [["--help"], ["embodiments", "list"]])
def test_help_and_listings_load_neither_torch_nor_simulators(arguments: list[str]) -> None:
    code = (
        "import sys; from octoverse.cli.main import run; code = run(sys.argv[1:]);"
        "heavy = {'torch', 'transformers', 'mujoco', 'gymnasium', 'pyarrow'} & set(sys.modules);"
        # They take 0.2 s on a quiet machine since they load few modules, about 300 and 400.
        "many = len(sys.modules) if len(sys.modules) > 600 else 0;"
        "sys.exit(f'loaded {heavy or many}' if heavy or many else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_the_exit_code_reaches_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["octoverse", "trian"])
    with pytest.raises(SystemExit) as leaving:
        main.main()
    assert leaving.value.code == 2


def test_every_command_is_a_function_of_its_module() -> None:
    for _, command in EVERY:
        found: Any = main._function(command.target)
        assert callable(found)
