"""A mark for tests that need NVIDIA's runtime compiler, which needs no GPU."""

import pytest

from course_lib.cuda.gpu import nvrtc


def _why_not():
    try:
        nvrtc.version()
    except nvrtc.NoNvrtc as error:
        return str(error)
    return ""


needs_nvrtc = pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "NVRTC is here")
