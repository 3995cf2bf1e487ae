from html.parser import HTMLParser

from course_lib.measure import Table

TABLE = Table(("layer", "kind", "MACs"), [("conv", "Conv<2d>", 1234567), ("b", "", 0.123456)])


def test_text_is_aligned_and_numbers_are_grouped():
    assert str(TABLE).splitlines() == [
        "layer  kind           MACs",
        "-----  --------  ---------",
        "conv   Conv<2d>  1,234,567",
        "b                   0.1235",
    ]


def test_html_holds_the_same_cells_escaped():
    class Cells(HTMLParser):
        def __init__(self):
            super().__init__()
            self.found = []

        def handle_data(self, data):
            self.found.append(data)

    parser = Cells()
    parser.feed(TABLE._repr_html_())
    assert parser.found == ["layer", "kind", "MACs", "conv", "Conv<2d>", "1,234,567", "b", "0.1235"]
    assert TABLE._repr_html_().count("text-align:right") == 3


def test_show_prints_without_a_notebook(capsys):
    TABLE.show()
    assert capsys.readouterr().out == f"{TABLE}\n"
