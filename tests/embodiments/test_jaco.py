from octoverse.embodiments.jaco import JACO


def test_the_tool_is_moved_and_not_turned_at_10_hz() -> None:
    assert JACO.action["arm"].names == ("dx", "dy", "dz")
    assert JACO.control_hz == 10.0
