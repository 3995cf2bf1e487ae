import math

import pytest
import torch

from course_lib.measure.correctness import WrongResult, relative_error, require_agreement


def test_relative_error():
    assert relative_error(torch.tensor([3.0, 4.4]), torch.tensor([3.0, 4.0], dtype=torch.float64)) == pytest.approx(
        0.08
    )
    assert relative_error(torch.zeros(2), torch.zeros(2).double()) == 0
    assert relative_error(torch.ones(2), torch.zeros(2).double()) == pytest.approx(math.sqrt(2))
    assert relative_error(torch.ones(3), torch.ones(2).double()) == math.inf
    assert relative_error(torch.ones(2, dtype=torch.int32), torch.ones(2).double()) == 0


def test_agreement_is_with_the_first():
    x = torch.rand(5, 7)
    require_agreement({"twice": lambda: 2 * x, "sum": lambda: x + x, "rounded": lambda: 2.0001 * x}, 1e-3)
    with pytest.raises(WrongResult, match="rounded and twice differ: relative error 5e-05, allowed 1e-05"):
        require_agreement({"twice": lambda: 2 * x, "rounded": lambda: 2.0001 * x}, 1e-5)


@pytest.mark.parametrize("wrong", [torch.full((3,), math.nan), torch.ones(4), torch.ones(3) + 1])
def test_not_a_number_and_other_shapes_do_not_agree(wrong):
    with pytest.raises(WrongResult):
        require_agreement({"ones": lambda: torch.ones(3), "other": lambda: wrong}, 0.5)
