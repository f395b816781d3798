import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import OctoverseError
from octoverse.evaluation.host import ServerProcess
from octoverse.servers.client import Client
from octoverse.synthetic import random_frame


def test_a_server_in_a_process_of_its_own_serves_until_it_dies(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.evaluation.host._GOODBYE_S", 60.0)
    with ServerProcess(checkpoint) as server:
        assert server.model.startswith("untrained-") and server.folder == checkpoint
        assert server.bodies["tabletop_arm"].fingerprint == TABLETOP_ARM.fingerprint
        with Client(server.address, TABLETOP_ARM, timeout=60) as client:
            client.act(random_frame(TABLETOP_ARM, np.random.default_rng(0)))
        assert server.status().answered == 1
        [process] = [p for p in multiprocessing.active_children() if p.name == "server"]
        process.kill()
        with pytest.raises(OctoverseError, match=r"server died \(exit code -9\)"):
            server.status()
    assert not [p for p in multiprocessing.active_children() if p.name == "server"]


def test_what_is_no_checkpoint_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(OctoverseError, match=r"expected a checkpoint .* found neither"):
        ServerProcess(tmp_path)


def test_a_server_that_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.evaluation.host._START_S", 0.0)
    with pytest.raises(OctoverseError, match="policy server said nothing for 0 s"):
        ServerProcess(tmp_path)
