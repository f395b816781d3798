from octoverse.embodiments.rc_car import RC_CAR


def test_it_stops_by_letting_go_of_both_pedals() -> None:
    assert RC_CAR.safe_stop.kind == "zero"
    assert RC_CAR.action["pedals"].names == ("steering", "throttle")


def test_the_recordings_have_no_words() -> None:
    assert RC_CAR.observation["instruction"].optional
