"""The layouts that drawn videos are written in, for tests of all of them."""

from lgn_tf.data.datasets import layouts

WHOLE = [name for name in layouts.written_layouts() if name != "umn"]
"""Those that keep each drawn video whole; UMN's clips are cut in two."""
