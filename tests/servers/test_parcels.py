from typing import Any

import msgspec
import numpy as np

from octoverse import wire
from octoverse.embodiment import Instruction
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.packing import Jpeg, pack, views
from octoverse.servers.parcels import Parcels
from octoverse.synthetic import random_frame

RNG = np.random.default_rng(0)
FRAME, OTHER = random_frame(TABLETOP_ARM, RNG), random_frame(TABLETOP_ARM, RNG)


def held(body: Any) -> bytes:
    return bytes(body)


def unpacked(specs: tuple[wire.ArraySpec, ...], body: Any) -> dict[str, Any]:
    return dict(views(specs, held(body), 10**6))


def test_a_body_is_laid_out_as_everywhere() -> None:
    specs, words, body = Parcels(TABLETOP_ARM, None).wrap(FRAME)
    arrays = {name: value for name, value in FRAME.items() if name != "instruction"}
    observe = wire.Observe(session="f" * 32, request=1, observed_at_ns=0)
    header, packed = pack(observe, arrays)
    assert held(body) == packed.tobytes()
    assert wire.encode(msgspec.structs.replace(observe, arrays=specs)) == header
    assert words == {"instruction": FRAME["instruction"]}


def test_memory_is_used_again_once_its_message_was_answered() -> None:
    parcels = Parcels(TABLETOP_ARM, None)
    _, _, first = parcels.wrap(FRAME)
    sent = held(first)
    _, _, second = parcels.wrap(OTHER)
    assert second is not first
    assert held(first) == sent != held(second)
    parcels.answered()
    specs, _, third = parcels.wrap(FRAME)
    assert third is second
    assert (views(specs, held(third), 10**6)["table"] == FRAME["table"]).all()


def test_a_frame_with_other_streams_gets_places_of_its_own() -> None:
    parcels = Parcels(TABLETOP_ARM, None)
    for names in (["table", "tool"], ["tool", "table"], ["tool"], ["table", "wrist", "tool"]):
        specs, _, body = parcels.wrap({name: FRAME[name] for name in names})
        parcels.answered()
        found = unpacked(specs, body)
        assert list(found) == names
        assert all((found[name] == FRAME[name]).all() for name in names)


def test_an_image_that_does_not_lie_in_one_piece_is_laid_straight() -> None:
    specs, _, body = Parcels(TABLETOP_ARM, None).wrap(FRAME | {"table": FRAME["table"][:, ::-1]})
    assert (unpacked(specs, body)["table"] == FRAME["table"][:, ::-1]).all()


def test_images_are_compressed_if_that_is_wanted() -> None:
    parcels = Parcels(TABLETOP_ARM, 80)
    for frame in (FRAME, OTHER):
        specs, _, body = parcels.wrap(frame)
        parcels.answered()
        found = unpacked(specs, body)
        assert isinstance(found["table"], Jpeg) and isinstance(found["wrist"], Jpeg)
        assert found["table"].decode().shape == (96, 96, 3)
        assert (found["tool"] == frame["tool"]).all()
    assert len(body) < 40_000


def test_streams_that_were_seen_at_other_times_say_so_and_only_then() -> None:
    parcels = Parcels(TABLETOP_ARM, None)
    told = [parcels.wrap(FRAME, times)[0] for times in (None, {"wrist": 7}, None)]
    assert [{s.name: s.at_ns for s in specs}["wrist"] for specs in told] == [None, 7, None]
    assert {s.at_ns for s in told[1] if s.name != "wrist"} == {None}


def test_words_alone_need_no_body() -> None:
    body = msgspec.structs.replace(TABLETOP_ARM, observation={"instruction": Instruction()})
    specs, words, packed = Parcels(body, None).wrap({"instruction": "go"})
    assert (specs, words, held(packed)) == ((), {"instruction": "go"}, b"")
