from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def test_a_made_folder_has_the_parameters_of_a_real_one(
    made_octo: Any, real_data: Callable[[str], Path]
) -> None:
    theirs = np.load(real_data("octo_parity_tiny") / "params.npz")
    assert made_octo.shapes(made_octo.TINY) == {name: theirs[name].shape for name in theirs.files}


def test_the_small_one_is_octo_small(made_octo: Any) -> None:
    sizes = made_octo.shapes(made_octo.Sizes())
    assert sum(int(np.prod(shape)) for shape in sizes.values()) == 27_042_060
