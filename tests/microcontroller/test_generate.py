"""Generated C against the interpreter's integers, and the memory it touches against its plan."""

import itertools

import numpy as np
import pytest

from course_lib import microcontroller as mcu
from course_lib import native
from tests.microcontroller.networks import NETWORKS, rounded, with_everything

pytestmark = pytest.mark.skipif(native.find_compiler("c") is None, reason="no C compiler")

STYLES = {"run time": (False, False), "written in": (True, False), "unrolled": (True, True)}
STRICT = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-unused-variable")


def outputs(program, images, flags=()):
    compiled = mcu.CompiledNetwork(program, flags=flags)
    return np.stack([compiled(image) for image in images]), max(map(compiled.high_water_mark, images))


def in_order_of_memory(tensor, layout):
    return tensor if layout == "HWC" else tensor.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("layout", ["HWC", "CHW"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_integers_however_it_is_written(name, style, layout):
    small, images, _, _ = rounded(NETWORKS[name]())
    expected = in_order_of_memory(mcu.interpret_all(small, images)[-1], layout).reshape(len(images), -1)
    specialise, unroll = STYLES[style]
    for in_place, im2col in itertools.product((False, True), repeat=2):
        schedule = mcu.Schedule(small.network, in_place=in_place, im2col=im2col)
        program = mcu.generate(small, schedule, layout=layout, specialise=specialise, unroll=unroll)
        answers, mark = outputs(program, images)
        np.testing.assert_array_equal(answers, expected)
        assert 0 < mark <= program.arrangement.size


@pytest.mark.parametrize("layout", ["HWC", "CHW"])
@pytest.mark.parametrize(("end", "grid"), [(1, (3, 2)), (5, (2, 2)), (6, (3, 3)), (8, (1, 4)), (8, (5, 4))])
def test_the_same_integers_in_patches(end, grid, layout):
    small, images, _, _ = rounded(with_everything())
    expected = mcu.interpret(small, images)
    for in_place, im2col, stream, style in (
        (True, True, False, "unrolled"),
        (True, False, True, "run time"),
        (False, False, False, "written in"),
    ):
        schedule = mcu.Schedule(
            small.network,
            in_place=in_place,
            im2col=im2col,
            stream_image=stream,
            patches=mcu.PatchStage(small.network, end, grid),
        )
        specialise, unroll = STYLES[style]
        program = mcu.generate(small, schedule, layout=layout, specialise=specialise, unroll=unroll)
        answers, mark = outputs(program, images)
        np.testing.assert_array_equal(answers, expected)
        assert 0 < mark <= program.arrangement.size


@pytest.mark.parametrize(
    ("settings", "bytes_touched"),
    [
        ({"in_place": False}, 2 * 16 * 32 * 32),
        ({}, 16 * 32 * 32 + 34 * 34),
        ({"patches": (4, 4)}, 16 * 16 * (16 + 24)),
    ],
)
def test_the_memory_really_touched_is_what_the_formulas_say(settings, bytes_touched):
    small, images, _, _ = rounded(mcu.describe_digit_reader())
    if "patches" in settings:
        settings = {"patches": mcu.PatchStage(small.network, 3, settings["patches"])}
    schedule = mcu.Schedule(small.network, **settings)
    program = mcu.generate(small, schedule, unroll=True)
    answers, mark = outputs(program, images)
    assert mark == program.arrangement.size == schedule.peak() == bytes_touched
    np.testing.assert_array_equal(answers, mcu.interpret(small, images))


def test_the_high_water_mark_sees_a_program_that_leaves_its_arena():
    small, images, _, _ = rounded(mcu.describe_digit_reader())
    program = mcu.generate(small)
    strayed = program.source.replace("memcpy(result", f"arena[{program.arrangement.size + 99}] = 1; memcpy(result")
    stray = mcu.GeneratedC(strayed, small, program.schedule, program.arrangement, "HWC")
    assert mcu.CompiledNetwork(stray).high_water_mark(images[0]) == program.arrangement.size + 100


def test_compiles_without_a_warning():
    small, _, _, _ = rounded(with_everything())
    stage = mcu.PatchStage(small.network, 5, (2, 2))
    for style, patches in itertools.product(STYLES.values(), (None, stage)):
        schedule = mcu.Schedule(small.network, im2col=True, patches=patches)
        program = mcu.generate(small, schedule, specialise=style[0], unroll=style[1])
        mcu.CompiledNetwork(program, flags=("-std=c99", *STRICT))


def test_undefined_behaviour_is_not_relied_on():
    """The compiler's own checks trap at the first overflow or index outside an array."""
    compiler = native.find_compiler("c")
    if compiler.family == "zig":
        pytest.skip("zig links its own checks")
    small, images, _, _ = rounded(with_everything())
    program = mcu.generate(
        small, mcu.Schedule(small.network, im2col=True, patches=mcu.PatchStage(small.network, 5, (2, 2)))
    )
    answers, _ = outputs(program, images, ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"))
    np.testing.assert_array_equal(answers, mcu.interpret(small, images))


def test_the_same_source_every_time():
    small, _, _, _ = rounded(with_everything())
    assert mcu.generate(small).source == mcu.generate(small).source


def test_settings_that_do_not_fit_together():
    small, images, _, _ = rounded(mcu.describe_digit_reader())
    with pytest.raises(ValueError, match="specialise=True"):
        mcu.generate(small, unroll=True, specialise=False)
    with pytest.raises(ValueError, match="HWC"):
        mcu.generate(small, layout="NCHW")
    with pytest.raises(ValueError, match="another network"):
        mcu.generate(small, mcu.Schedule(with_everything()))
    with pytest.raises(ValueError, match="int8"):
        mcu.CompiledNetwork(mcu.generate(small))(images[0].astype(np.int16))
