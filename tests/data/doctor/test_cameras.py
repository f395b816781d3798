from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def test_a_black_camera_is_a_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    black = changed("observation", "secondary", np.zeros_like)
    (found,) = told(make("widowx", change=black))
    assert (found.check, found.severity, found.where) == ("cameras", "fault", "secondary")
    assert "All of 48 images looked at are black" in found.message


def test_some_white_images_are_a_fault_with_their_place(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def flash(images: np.ndarray) -> np.ndarray:
        images = images.copy()
        images[len(images) // 2 :] = 255
        return images

    (found,) = told(make("widowx", change=changed("observation", "primary", flash)))
    assert (found.check, found.severity) == ("cameras", "fault")
    assert "images looked at are white" in found.message
    assert found.where.startswith("primary, episode 0, step 3")


def test_a_camera_of_one_colour_is_a_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    grey = changed("observation", "primary", lambda images: np.full_like(images, 128))
    found = told(make("widowx", change=grey))
    assert "images looked at are of one colour" in found[0].message


def test_a_frozen_camera_is_a_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    slow = changed("observation", "primary", lambda images: images[np.arange(len(images)) // 2])
    (found,) = told(make("widowx", change=slow))
    assert (found.check, found.severity) == ("cameras", "fault")
    assert "equal in every pixel while the body moves" in found.message


def test_equal_images_of_a_body_at_rest_are_no_fault(make: Fixture, told: Fixture) -> None:
    def rest(episode: Episode) -> Episode:
        def first(values: Any) -> Any:
            return np.repeat(values[:1], len(episode), axis=0)

        seen = {k: v if isinstance(v, list) else first(v) for k, v in episode.observation.items()}
        done = {k: first(v) for k, v in episode.action.items()}
        return replace(episode, observation=seen, action=done)

    assert [f for f in told(make("widowx", change=rest)) if f.check == "cameras"] == []


def test_other_sizes_are_information(make: Fixture, told: Fixture) -> None:
    found = [f for f in told(make("rc_car"), "information") if f.check == "cameras"]
    assert "Images are 8 x 10, the body declares 120 x 160" in found[0].message
    assert "stretches them by 6%" in found[0].message


def test_sizes_that_differ_are_information(make: Fixture, told: Fixture) -> None:
    def bigger(episode: Episode) -> Episode:
        images = np.asarray(episode.observation["front"])
        taller = images.repeat(2, axis=1) if int(episode.key) % 2 else images
        return replace(episode, observation={**episode.observation, "front": taller})

    found = told(make("rc_car", change=bigger), "information")
    assert any("differ in size (height x width): 8 x 10, 16 x 10" in f.message for f in found)


def test_an_image_that_cannot_be_read_is_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    source = make("rc_car")
    episodes = list(source.episodes)
    images = [b"no image"] * len(episodes[2])
    episodes[2] = replace(episodes[2], observation={"front": images})
    (found,) = told(replace(source, episodes=episodes))
    assert (found.check, found.severity, found.where) == ("readable", "fault", "episode 2")
    assert "Expected an encoded image" in found.message
