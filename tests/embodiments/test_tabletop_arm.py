from octoverse.embodiments.tabletop_arm import TABLETOP_ARM


def test_the_tool_turns_about_the_vertical_only() -> None:
    assert TABLETOP_ARM.action["arm"].names == ("dx", "dy", "dz", "dyaw")
    assert TABLETOP_ARM.observation["instruction"].optional is False
