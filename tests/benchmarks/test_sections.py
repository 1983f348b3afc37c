"""Sections that a benchmark writes anew."""

from benchmarks import sections


def test_only_the_section_changes(tmp_path):
    path = tmp_path / "results.md"
    path.write_text("before\n<!-- one -->\nold\n<!-- /one -->\nafter\n")
    sections.store("one", "new \\1\n", path)
    assert path.read_text() == (
        "before\n<!-- one -->\nnew \\1\n<!-- /one -->\nafter\n"
    )


def test_a_new_section_goes_to_the_end(tmp_path):
    path = tmp_path / "results.md"
    path.write_text("before\n")
    sections.store("two", "new", path)
    sections.store("two", "newer", path)
    assert path.read_text() == "before\n\n<!-- two -->\nnewer\n<!-- /two -->\n"


def test_a_table_has_a_line_under_its_heads():
    text = sections.table(("a", "b"), [["1", "2"]])
    assert text == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_machine_is_named():
    text = sections.machine()
    assert "cores of" in text
    assert "tensorflow" in text
