"""A page as its tags and words."""

import html.parser

import numpy as np

NAMES = ("01", "<script>alert(1)<", "a&b")
LABELS = np.zeros(30, np.uint8)
LABELS[10:20] = 1
NUMBERS = np.random.default_rng(5)


class Page(html.parser.HTMLParser):
    """Collects tags, and checks that they close in order."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def anchors(page):
    return [attrs["href"] for attrs in page.named("a")]
