import pytest

from octoverse.data.progress import Bar


def test_progress_says_what_how_far_how_fast_and_how_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Bar("Reading [drives]", 10, 2) as bar:
        bar.advance(3, 300)
    said = capsys.readouterr().out
    assert "Reading [drives]" in said and "5/10 episodes, " in said
    assert "steps/s" in said and "left" in said


def test_progress_can_be_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("Reading", 10, quiet=True) as bar:
        bar.advance(1, 1)
    assert not capsys.readouterr().out
