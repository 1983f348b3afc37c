"""Data sets: videos, ground truth, published numbers and presets.

Importing this room registers every data set that ships: each is one file in
`registered`, and the file is all there is to add.
"""

import importlib
import pkgutil

from lgn_tf.data.datasets import registered

for _module in pkgutil.iter_modules(registered.__path__):
    importlib.import_module(f"{registered.__name__}.{_module.name}")
