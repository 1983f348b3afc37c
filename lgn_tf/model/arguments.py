"""The arguments of a layer, read back for `get_config`."""

import inspect


def arguments_of(layer, **renamed):
    """Returns the arguments that a layer was made with, by name.

    Args:
        layer: its `__init__` keeps every argument but `**kwargs` in an
            attribute of the same name.
        **renamed: values of the arguments that are kept otherwise.
    """
    names = inspect.signature(type(layer).__init__).parameters
    return {
        name: renamed[name] if name in renamed else getattr(layer, name)
        for name in names
        if name not in ("self", "kwargs")
    }
