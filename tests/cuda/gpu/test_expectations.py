"""The `// expect` lines of .cu files: how they are read. tests/rooms holds every kernel of the library to its own."""

import pytest

from course_lib.cuda.gpu.expectations import expectations
from course_lib.cuda.gpu.resources import Resources
from course_lib.errors import CourseError


def resources(**changes):
    values = {
        "kernel": "k",
        "arch": "sm_80",
        "registers": 40,
        "spill_stores": 0,
        "spill_loads": 0,
        "stack": 0,
        "shared": 512,
    }
    return Resources(**{**values, "ptx": "mma.sync.aligned.m16n8k16 {};\n st.shared.f32 [a], b;", **changes})


def test_a_line_is_read(tmp_path):
    path = tmp_path / "k.cu"
    path.write_text(
        '// expect kernel="k<64, float>" arch=80+ registers<=40 spills=8 shared=512 ptx="mma.sync" ptx=st.shared '
        "options=-DX=1\n"
        "// what to expect of this kernel: nothing\n"
        "  // expect kernel=small arch=75,90a\n"
    )
    first, second = expectations(path)
    assert first.kernel == "k<64, float>"
    assert first.architectures == ("sm_80", "sm_89", "sm_90")
    assert (first.registers, first.spills, first.shared) == (40, 8, 512)
    assert first.ptx == ("mma.sync", "st.shared")
    assert first.options == ("-DX=1",)
    assert (second.kernel, second.architectures, second.registers, second.spills) == (
        "small",
        ("sm_75", "sm_90a"),
        None,
        0,
    )
    assert first.problems(resources()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"registers": 41}, "41 registers, expected at most 40"),
        ({"spill_stores": 12}, "spills 12 bytes, expected at most 8"),
        ({"shared": 256}, "256 bytes of shared memory, expected 512"),
        ({"ptx": "fma.rn.f32"}, "no instruction mma.sync"),
    ],
)
def test_what_is_not_as_expected_is_named(tmp_path, changes, said):
    path = tmp_path / "k.cu"
    path.write_text('// expect kernel="k" arch=80 registers<=40 spills<=8 shared=512 ptx="mma.sync"\n')
    problems = expectations(path)[0].problems(resources(**changes))
    assert problems == [f"k.cu: k on sm_80: {said}"]


@pytest.mark.parametrize("line", ["// expect registers=3", '// expect kernel="k" register=3', "// expect kernel"])
def test_lines_that_say_nothing_clear(tmp_path, line):
    path = tmp_path / "k.cu"
    path.write_text(line + "\n")
    with pytest.raises(CourseError, match=r"k\.cu: "):
        expectations(path)
