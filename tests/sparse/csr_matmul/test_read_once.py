"""What the first call costs before anything is compiled: the kernel's text is read once."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# a process of its own: here an earlier test may have read the kernel already
FIRST_CALL = """
import torch
from course_lib import cuda, sparse
from course_lib.cuda.reading import source_text

class Counting:
    pattern, blanked = source_text.SKIPPED, []

    def sub(self, replacement, text):
        self.blanked.append(text)
        return self.pattern.sub(replacement, text)

source_text.SKIPPED = Counting()
matrix = torch.eye(8) * (torch.arange(8) > 2)
with cuda.use("host"):
    result = sparse.csr_matmul(sparse.CSR.from_dense(matrix), torch.ones(8, 4))
assert (result == matrix.sum(1, keepdim=True)).all()
print(len(Counting.blanked), sum("__global__" in text for text in Counting.blanked))
"""


def test_the_first_product_on_the_host_blanks_the_kernels_text_once():
    done = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "1"]
