import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.view import page as module
from octoverse.data.view.page import content, page
from octoverse.embodiment import Embodiment

CAR: Embodiment = registry.load("embodiment", "passenger_car")


def told(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="episode">(.*?)</script>', html, re.S)
    assert found is not None
    return json.loads(found[1])


def test_a_page_needs_nothing_else(made_data: Any) -> None:
    html = page(made_data.MadeDrives().episode(1), CAR)
    assert "__EPISODE__" not in html and "http://" not in html and "https://" not in html
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", html)
    assert len(html) < 200_000


def test_a_page_is_told_all_of_an_episode(made_data: Any) -> None:
    found = told(page(made_data.MadeDrives().episode(1), CAR))
    assert found["title"] == "made_drives · drive-1" and found["words"] == ["turn [1]"]
    assert found["facts"][:2] == ["passenger_car", "4 steps"]
    assert len(found["times"]) == 4 and found["times"][0] == 0
    assert [camera["name"] for camera in found["cameras"]] == ["front", "cross_left"]
    assert found["cameras"][0]["size"] == "24 x 32" and found["cameras"][0]["valid"] is None
    speed, command, path = found["groups"]
    assert [group["kind"] for group in found["groups"]] == ["state", "command", "waypoints, action"]
    assert speed["numbers"][0]["unit"] == "m/s"
    assert command["numbers"][0]["names"][command["numbers"][0]["values"][0]] == "straight"
    assert path["name"] == "path, 3.3 s ahead" and path["action"]
    assert found["bird"]["path"] and found["questions"][0]["answer"] == "Yes."


def test_masked_steps_are_gaps(made_data: Any) -> None:
    found = content(made_data.MadeDrives().episode(0), CAR)
    values = found["groups"][0]["numbers"][0]["values"]
    assert values[0] is None and None not in values[1:]


def test_a_camera_that_saw_nothing_is_left_out(made_data: Any) -> None:
    episode = made_data.MadeDrives().episode(0)
    blind = {**episode.observation_valid, "front": np.zeros(5, bool)}
    assert content(replace(episode, observation_valid=blind), CAR)["cameras"] == []
    half = {**episode.observation_valid, "front": np.arange(5) > 2}
    (camera,) = content(replace(episode, observation_valid=half), CAR)["cameras"]
    assert camera["valid"] == [False, False, False, True, True]


def test_a_path_is_plotted_where_it_is_mostly_known(made_data: Any) -> None:
    episode = made_data.MadeDrives().episode(0)
    short = {"path": np.tile(np.arange(64) < 5, (5, 1))}
    found = content(replace(episode, action_valid=short), CAR)
    assert found["groups"][-1]["name"] == "path, 0.5 s ahead"


def test_of_long_episodes_some_steps_are_left_out(
    made_data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 2)
    found = content(made_data.MadeDrives().episode(0), CAR)
    assert found["stride"] == 3 and len(found["times"]) == 2 and found["steps"] == 5
    assert "every 3. step is shown" in found["facts"]
    assert found["questions"][0]["step"] == 0


def test_words_cannot_end_the_script(made_data: Any) -> None:
    episode = made_data.MadeDrives().episode(0)
    words = ["</script><b>out</b>"] * 5
    html = page(replace(episode, observation={**episode.observation, "instruction": words}), CAR)
    assert "</script><b>" not in html and told(html)["words"] == [words[0]]


def test_an_episode_of_one_step_can_be_seen(made_data: Any) -> None:
    found = content(_first_step(made_data), CAR)
    assert found["times"] == [0.0] and found["fps"] == 10.0 and "1 step" in found["facts"]


def _first_step(made_data: Any) -> Any:
    episode = made_data.MadeDrives(sizes=(2,)).episode(0)
    return replace(
        episode,
        times_ns=episode.times_ns[:1],
        observation={name: values[:1] for name, values in episode.observation.items()},
        action={name: values[:1] for name, values in episode.action.items()},
        observation_valid={},
        action_valid={},
    )


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_shows_the_step_that_the_address_names(made_data: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page(made_data.MadeDrives().episode(1), CAR))
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=2000", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, f"file://{tmp_path}/page.html#1"], capture_output=True, text=True, timeout=300
    )
    shown = done.stdout
    assert re.search(r'id="at"><b>0\.\d+ s</b> of 0\.\d+ s · step <b>1</b> of 3<', shown)
    assert ">turn [1]<" in shown and "Questions about this step: 1 of 1" in shown
    assert shown.count("<canvas") == 1 + 5 and shown.count("<video") == 2
    assert ">straight<" in shown
