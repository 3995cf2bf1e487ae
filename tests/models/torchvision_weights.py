"""torchvision's networks with weights and statistics drawn anew, as an oracle for ours under the same weights."""

import torch
import torchvision
from torch import Tensor, nn

from course_lib import models


def assert_same_as_torchvision(name: str, pictures: Tensor, **arguments) -> None:
    """Our network `name` takes torchvision's weights, strictly, and then puts out what torchvision's does."""
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):  # skips an initialisation that takes seconds
        theirs = getattr(torchvision.models, name)(**arguments)
        ours = getattr(models, name)()
    theirs.to_empty(device="cpu")
    numbers = torch.rand(1_000_003, generator=generator) * 2 - 1  # repeated, since drawing 138 million takes seconds
    for parameter in theirs.parameters():
        bound = (6 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.3
        repeated = numbers.repeat(-(-parameter.numel() // len(numbers)))[: parameter.numel()]
        parameter.data.copy_(bound * repeated.view_as(parameter))
        numbers = numbers.roll(parameter.numel() + 1)
    for module in theirs.modules():  # fresh statistics are 0 and 1, which would hide a missing normalisation
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data += 1
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.num_batches_tracked.zero_()
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)  # shares memory: no second copy
    with torch.no_grad():
        expected = theirs.eval()(pictures)
        assert expected.std() > 0.01, "an output that the weights hardly change would compare nothing"
        torch.testing.assert_close(ours.eval()(pictures), expected, rtol=1e-5, atol=1e-5)
