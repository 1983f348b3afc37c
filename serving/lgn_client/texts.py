"""What others wrote, as one line of text."""

_LONGEST = 4096
"""Characters that a line keeps."""


def one_line(text: object) -> str:
    """Returns text as one line that a terminal only prints.

    Line breaks become spaces. What else would move the cursor, change colours
    or the direction of writing, or is no Unicode, is written as its number.
    What is longer than 4096 characters is cut.
    """
    line = " ".join(str(text)[:_LONGEST].splitlines()).strip()
    return "".join(
        one if one.isprintable() else ascii(one)[1:-1] for one in line
    )
