"""What a student reads when a kernel written as text does not compile, does not end, or is not written yet."""

from __future__ import annotations

import nbformat
import pytest
import torch

from course_lib.checking import CheckFailed
from course_lib.cuda import written_kernel
from course_lib.workbook.execute.judge import problems
from course_lib.workbook.execute.tasks import Task

FILL = """
__global__ void fill(float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = i;
}
"""


def test_a_right_kernel_runs_and_has_no_faults():
    kernel, out = written_kernel.compiled(FILL, "fill"), torch.zeros(10)
    written_kernel.launch(kernel, 3, 4, (out, 10))
    assert out.tolist() == list(range(10))
    written_kernel.no_faults(kernel, 3, 4, (out, 10))


def test_markers_and_the_comment_of_the_released_cell_are_no_cpp():
    marked = FILL.replace("    if", "    ### BEGIN SOLUTION\n    # YOUR CODE HERE\n    if").replace(
        "= i;\n", "= i;\n    ### END SOLUTION\n"
    )
    assert marked.count("#") == 7
    written_kernel.compiled(marked, "fill")


def test_an_unwritten_kernel_is_not_implemented():
    for reader in (written_kernel.text, lambda source: written_kernel.compiled(source, "fill")):
        with pytest.raises(NotImplementedError, match="write the kernel"):
            reader(FILL.replace("if (i < n) out[i] = i;", "raise NotImplementedError('Replace this line')"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "a NoneType"),
        (FILL.replace("= i;", "= i"), "fill.cu:4"),
        (FILL.replace("fill", "full"), "full"),
    ],
)
def test_what_does_not_compile(source, message):
    with pytest.raises(CheckFailed, match=message) as caught:
        written_kernel.compiled(source, "fill")
    assert len(str(caught.value).splitlines()) <= 5


def test_faults_and_endless_kernels_fail_their_check():
    out = torch.zeros(10)
    kernel = written_kernel.compiled(FILL.replace("i < n", "i <= n"), "fill")
    with pytest.raises(CheckFailed, match=r"out-of-bounds write[^$]*out\[10\]"):
        written_kernel.no_faults(kernel, 3, 4, (out, 10))
    endless = written_kernel.compiled(FILL.replace("if (i", "volatile int k = 1; while (k) ; if (i"), "fill")
    with pytest.raises(CheckFailed, match=r"did not finish within 0\.3 s"):
        written_kernel.launch(endless, 3, 4, (out, 10), time_limit=0.3)


def test_an_unanswered_notebook_may_stop_where_its_text_is_read():
    def with_error(name):
        cell = nbformat.v4.new_code_cell("written_kernel.compiled(fill, 'fill')", execution_count=1)
        cell.outputs = [nbformat.v4.new_output("error", ename=name, evalue="", traceback=["Cell In[1], line 1", name])]
        return nbformat.v4.new_notebook(cells=[cell])

    task = Task.__new__(Task)
    object.__setattr__(task, "part", "student")
    assert problems(task, with_error("UnwrittenKernel"), 10) == []
    assert problems(task, with_error("NotImplementedError"), 10) != []
