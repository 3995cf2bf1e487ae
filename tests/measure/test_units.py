import pytest

from course_lib.measure.units import with_prefix


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B", "0 B"),
        (7, "B", "7 B"),
        (2048, "B", "2.05 kB"),
        (46758048, "B", "46.8 MB"),
        (3.5e-3, "J", "3.5 mJ"),
        (4.2e-12, "J", "4.2 pJ"),
        (5e-14, "J", "0.05 pJ"),
        (999.7, "W", "1000 W"),
        (5e16, "B", "50000 TB"),
        (-2e6, "B", "-2 MB"),
    ],
)
def test_three_digits_and_a_prefix(value, unit, text):
    assert with_prefix(value, unit) == text
