import pytest

from course_lib import microcontroller as mcu
from course_lib.explore.patch_memory import draw_patch_memory, patch_memory, patch_profile, stage_ends

PNG = b"\x89PNG\r\n"


def test_the_profile_of_the_digit_reader_by_hand():
    profile = patch_profile(mcu.describe_digit_reader(), 4, 3)
    assert profile.whole.max() == 16 * 32 * 32 + 34 * 34
    assert profile.patched.max() == 16 * 16 * (16 + 24)
    assert profile.tile == (13, 13)  # 4 output rows: 9, then 11, then 13
    assert profile.overhead[0] > profile.overhead[1] > 0


def test_one_patch_repeats_nothing():
    profile = patch_profile(mcu.describe_digit_reader(), 1, 3)
    assert profile.overhead == (0, 0)


def test_stages_end_where_a_shortcut_does_not_cross():
    network = mcu.Chain((8, 8, 2)).inverted_bottleneck(2, 2).conv(4).average_pool().linear(3).network()
    # the shortcut starts at the image, which stays; the pool and the dense layer need the whole map
    assert stage_ends(network) == [1, 2, 3, 4, 5]
    behind = mcu.Chain((8, 8, 2)).conv(2).inverted_bottleneck(2, 2).network()
    assert stage_ends(behind) == [1, 5]


def test_every_control_redraws_the_view():
    controls, view = patch_memory(mcu.describe_digit_reader(), mcu.BOARDS[0]).children
    patches, stage, in_place = controls.children
    assert patches.value == 4
    seen = {bytes(view.value)}

    def changed():
        assert bytes(view.value).startswith(PNG)
        assert bytes(view.value) not in seen
        seen.add(bytes(view.value))

    patches.value = 2
    changed()
    stage.value = next(option for option in stage.options if option != stage.value)
    changed()
    in_place.value = False
    changed()


def test_every_offered_setting_can_be_drawn():
    network = mcu.describe_digit_reader()
    controls, _ = patch_memory(network, mcu.BOARDS[0]).children
    patches, stage, _ = controls.children
    for end in stage.options:
        for side in (patches.min, patches.max):
            assert patch_profile(network, side, end).patched.min() > 0


def test_too_many_patches_are_refused():
    with pytest.raises(ValueError, match="cannot be cut"):
        patch_profile(mcu.describe_digit_reader(), 17, 3)
    network = mcu.describe_digit_reader()
    assert draw_patch_memory(network, mcu.BOARDS[0], 8, 3, False, [1, 2, 3]).startswith(PNG)
