from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse.errors import BadConfig
from octoverse.tokens import GroupSpec, Layout, layout

OCTO = (
    GroupSpec(name="words", role="task", tokens=2),
    GroupSpec(name="image", role="observation", tokens=3, steps=2),
    GroupSpec(name="state", role="observation", tokens=1, steps=2),
    GroupSpec(name="action", role="readout", tokens=1),
    GroupSpec(name="value", role="readout", tokens=1, steps=2),
)


@st.composite
def groups(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Settings of any groups in any order, causal or not, some reading earlier readouts."""
    roles = draw(st.lists(st.sampled_from(["task", "observation", "readout"]), max_size=6))
    steps = draw(st.integers(1, 3)) if "observation" in roles else 1
    made: list[dict[str, Any]] = []
    for name, role in enumerate([*roles, "readout"]):
        readouts = [one["name"] for one in made if one["role"] == "readout"]
        made.append({"name": f"group {name}", "role": role, "tokens": draw(st.integers(1, 3))})
        made[-1]["causal"] = draw(st.booleans())
        if role == "readout":
            chosen = draw(st.lists(st.booleans(), min_size=9, max_size=9))
            made[-1]["reads"] = tuple(r for r, yes in zip(readouts, chosen, strict=False) if yes)
            made[-1]["steps"] = draw(st.integers(1, steps))
        else:
            made[-1]["steps"] = steps if role == "observation" else 1
    return made


def built(settings: list[dict[str, Any]]) -> tuple[GroupSpec, ...]:
    return tuple(GroupSpec(**one) for one in settings)


def listed(specs: tuple[GroupSpec, ...]) -> list[tuple[GroupSpec, int, int]]:
    """Slow and plain: every token as (group, step, index) in the order of the sequence."""
    steps = max([one.steps for one in specs if one.role == "observation"], default=1)
    order = [(g, -1, i) for g in specs if g.role == "task" for i in range(g.tokens)]
    for role in ("observation", "readout"):
        for step in range(steps):
            for g in specs:
                if g.role == role and steps - g.steps <= step:
                    order += [(g, step, i) for i in range(g.tokens)]
    return order


def may_read(reader: tuple[GroupSpec, int, int], read: tuple[GroupSpec, int, int]) -> bool:
    """The rules of the design, one sentence each."""
    (mine, now, here), (theirs, then, there) = reader, read
    if mine.name == theirs.name and now == then and mine.causal and there > here:
        return False
    if theirs.role == "task":
        return True
    if then > now:
        return False
    if theirs.role == "observation":
        return mine.role in ("observation", "readout")
    return mine.name == theirs.name or theirs.name in mine.reads


@given(groups())
def test_order_and_mask_are_those_of_a_slow_reference(settings: list[dict[str, Any]]) -> None:
    specs = built(settings)
    made, order = Layout(specs), listed(specs)
    names = [one.name for one in specs]
    assert [names[i] for i in made.group.tolist()] == [g.name for g, _, _ in order]
    assert made.step.tolist() == [step for _, step, _ in order]
    assert made.index.tolist() == [index for _, _, index in order]
    expected = [may_read(q, k) for q, k in product(order, order)]
    assert made.mask.flatten().tolist() == expected


@given(groups())
def test_what_is_joined_can_be_taken_apart_again(settings: list[dict[str, Any]]) -> None:
    specs = built(settings)
    made = Layout(specs)
    shown = {one.name: torch.rand(2, one.steps, one.tokens, 5) for one in specs}
    joined = made.join(shown)
    assert joined.shape == (2, len(made), 5)
    for name, values in shown.items():
        assert torch.equal(made.take(joined, name), values)


def test_a_window_of_two_frames_has_its_readouts_at_the_end() -> None:
    made = Layout(OCTO)
    names = ["words", "image", "state", "action", "value"]
    assert [names[i] for i in made.group.tolist()] == [
        *["words"] * 2,
        *["image"] * 3, "state",
        *["image"] * 3, "state",
        "value", "action", "value",
    ]  # fmt: skip
    action = made.places["action"][0]
    assert made.mask[action].nonzero().flatten().tolist() == [*range(10), 11]


def test_nobody_reads_a_readout_that_does_not_belong_to_it() -> None:
    made = Layout(OCTO)
    for name in ("action", "value"):
        readers = made.mask[:, made.places[name]].any(1).nonzero().flatten().tolist()
        assert readers == made.places[name].tolist()


def test_the_same_groups_share_one_layout() -> None:
    assert layout(OCTO) is layout(tuple(OCTO))
    assert layout(OCTO) is not layout(OCTO[:-1])


def test_a_task_may_be_repeated_in_every_step() -> None:
    again = GroupSpec(name="again", role="observation", tokens=2, steps=2, repeats="words")
    made = Layout((*OCTO[:2], again))
    assert made.mask[made.places["again"][2:]].sum(1).tolist() == [12, 12]
    for source in ("nothing", "image"):
        wrong = GroupSpec(name="x", role="observation", tokens=2, steps=2, repeats=source)
        with pytest.raises(BadConfig, match=f"'x' repeats '{source}', expected a task group of 2"):
            Layout((*OCTO[:2], wrong))


def test_an_action_may_read_the_reasoning_before_it() -> None:
    made = Layout((*OCTO[:4], GroupSpec(name="last", role="readout", tokens=1, reads=("action",))))
    action, last = made.places["action"][0], made.places["last"][0]
    assert made.mask[last, action] and not made.mask[action, last]


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ((OCTO[0], OCTO[0]), r"groups of a layout must have different names, got \['words', 'wor"),
        (
            (OCTO[1], GroupSpec(name="x", role="observation", tokens=1, steps=3)),
            r"observation groups must have one number of steps, got \{2, 3\}",
        ),
        (
            (GroupSpec(name="x", role="task", tokens=1, steps=2),),
            "'x' has 2 steps of 1 tokens, expected 1 to 1 steps of at least 1 token",
        ),
        (
            (*OCTO[:3], GroupSpec(name="x", role="readout", tokens=1, steps=3)),
            "'x' has 3 steps of 1 tokens, expected 1 to 2 steps",
        ),
        ((GroupSpec(name="x", role="task", tokens=0),), "'x' has 1 steps of 0 tokens"),
        (
            (GroupSpec(name="x", role="readout", tokens=1, reads=("y",)), OCTO[3]),
            "'x' reads y, expected readouts that come before it: none. Otherwise what it must",
        ),
        (
            (*OCTO[:4], GroupSpec(name="x", role="readout", tokens=1, reads=("state",))),
            "'x' reads state, expected readouts that come before it: action",
        ),
    ],
)
def test_groups_that_contradict_each_other_are_refused(
    specs: tuple[GroupSpec, ...], words: str
) -> None:
    with pytest.raises(BadConfig, match=words):
        Layout(specs)


def test_shifted_groups_are_counted_as_octo_s_models_of_2023_counted_them() -> None:
    tasks = (
        GroupSpec(name="words", role="task", tokens=2),
        GroupSpec(name="goal", role="task", tokens=3),
    )
    timed = (
        GroupSpec(name="image", role="observation", tokens=3, steps=2),
        GroupSpec(name="state", role="observation", tokens=1, steps=2),
        GroupSpec(name="action", role="readout", tokens=2, steps=2),
        GroupSpec(name="value", role="readout", tokens=1, steps=2),
    )
    shifted = tuple(replace(one, shifted=one.role == "readout") for one in timed)
    made, plain = Layout((*tasks, *shifted)), Layout((*tasks, *timed))
    tokens: dict[tuple[str, int, int], GroupSpec] = {}
    for specs, steps in ((tasks, [-1]), (timed, [0, 1])):
        ends = np.cumsum([one.tokens for one in specs])
        places = [(one.name, index) for one in specs for index in range(one.tokens)]
        for step, (number, (name, index)) in product(steps, enumerate(places)):
            tokens[name, step, index] = specs[np.searchsorted(ends, number, side="left")]

    names = [*made.groups]
    order = [
        (names[g], s, i)
        for g, s, i in zip(
            plain.group.tolist(), plain.step.tolist(), plain.index.tolist(), strict=True
        )
    ]
    for (q, mine), (k, theirs) in product(enumerate(order), enumerate(order)):
        reader, read = tokens[mine], tokens[theirs]
        rules = {
            "task": ["task"],
            "observation": ["task", "observation"],
            "readout": ["task", "observation"],
        }
        may = read.role in rules[reader.role] or (reader.role == "readout" and reader == read)
        assert made.mask[q, k] == (may and theirs[1] <= mine[1]), (mine, theirs)
    assert made.mask[made.places["image"][-1], made.places["action"][0]]
    assert not torch.equal(made.mask, plain.mask)
    for name, spec in made.groups.items():
        shown = torch.rand(1, len(made), 2)
        assert torch.equal(made.take(shown, name), plain.take(shown, name)), spec
