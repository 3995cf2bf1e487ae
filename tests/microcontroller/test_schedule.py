"""Buffers of a schedule: by hand, against published peaks, and which layers may write over their input."""

import pytest

from course_lib import microcontroller as mcu
from course_lib.microcontroller.network import Layer, Network
from tests.microcontroller.networks import with_everything

KIB = 1024


def test_published_peak_of_mobilenet_v2():
    """MCUNetV2 (2021), figure 1: 1372 kB, where the layer after the first block expands to 96 channels."""
    network = mcu.describe_mobilenet_v2()
    schedule = mcu.Schedule(network)
    assert schedule.peak() == 1372 * KIB
    step = int(schedule.bytes_per_step().argmax())
    assert (network.layers[step].kind, network.shapes[step + 1]) == ("pointwise", (112, 112, 96))


def test_a_residual_block_by_hand():
    network = mcu.Chain((1, 1, 4)).pointwise(2).inverted_bottleneck(2, expand=3).network()
    plain = mcu.Schedule(network, in_place=False)
    # tensors of 4, 2, 6, 6, 2 and 2 bytes; tensor 1 waits for the addition
    assert plain.bytes_per_step().tolist() == [6, 8, 14, 10, 6]
    assert mcu.Schedule(network).bytes_per_step().tolist() == [6, 8, 2 + 6 + 9, 10, 4]


def test_what_may_be_overwritten():
    network = Network(
        (4, 4, 2),
        (
            Layer("depthwise", (0,), kernel=3, padding=1),  # alone with the image
            Layer("depthwise", (1,), kernel=3, padding=1),  # tensor 1 is read again
            Layer("add", (1, 2)),
            Layer("add", (3, 3)),  # reads one tensor twice
            Layer("depthwise", (4,), kernel=2, padding=1),  # grows
            Layer("pointwise", (5,), 3),
        ),
    )
    schedule = mcu.Schedule(network)
    assert [schedule.runs_in_place(number) for number in range(6)] == [True, False, True, False, False, False]
    streamed = mcu.Schedule(network, stream_image=True)
    assert not streamed.runs_in_place(0)
    assert streamed.holder[0] is None
    assert not any(mcu.Schedule(network, in_place=False).runs_in_place(number) for number in range(6))


def test_patches_lower_the_peak_and_keep_image_and_output():
    network = mcu.describe_mobilenet_v2()
    stage = mcu.PatchStage(network, network.shapes.index((28, 28, 32)), (4, 4))
    plain, patched = mcu.Schedule(network), mcu.Schedule(network, patches=stage)
    assert patched.peak() < plain.peak() / 4
    kept = network.sizes[0] + network.sizes[stage.end]
    assert (patched.bytes_per_step()[: stage.end] >= kept).all()
    assert (patched.bytes_per_step()[stage.end + 1 :] == plain.bytes_per_step()[stage.end + 1 :]).all()
    streamed = mcu.Schedule(network, patches=stage, stream_image=True)
    assert streamed.peak() < patched.peak()


def test_the_image_is_kept_for_later_readers():
    network = Network(
        (4, 4, 1), (Layer("conv", (0,), 1, 3, 1, 1), Layer("conv", (1,), 1, 3, 1, 1), Layer("add", (0, 2)))
    )
    assert mcu.Schedule(network, in_place=False).bytes_per_step().tolist() == [32, 48, 48]


def test_a_patch_stage_of_another_network_is_refused():
    with pytest.raises(ValueError, match="another network"):
        mcu.Schedule(with_everything(), patches=mcu.PatchStage(mcu.describe_digit_reader(), 3, (2, 2)))


def test_what_fits_where():
    network = mcu.describe_digit_reader()
    plain, in_place = mcu.Schedule(network, in_place=False), mcu.Schedule(network)
    patched = mcu.Schedule(network, patches=mcu.PatchStage(network, 3, (2, 2)))
    boards = {board.name: board for board in mcu.BOARDS}
    small, smaller = boards["STM32F103C8"], boards["nRF51822"]
    assert not mcu.fit_on(small, plain).fits
    assert mcu.fit_on(small, in_place).fits
    assert not mcu.fit_on(smaller, in_place).fits
    assert mcu.fit_on(smaller, patched).fits
    assert mcu.fit_on(smaller, plain).layers_over == (0, 1, 2)
    assert str(mcu.fit_on(small, in_place)).startswith("STM32F103C8: fits; SRAM 17.1 of 20 KiB")


def test_flash_alone_can_be_the_reason():
    network = mcu.describe_mobilenet_v2(96, 0.35)
    fit = mcu.fit_on(mcu.BOARDS[3], mcu.Schedule(network))
    assert fit.sram < fit.board.sram
    assert not fit.fits
