"""Ends a fit when its time is over."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def ringing(seconds: float) -> Iterator[None]:
    """Has `fit` stop after some seconds, and disturbs nothing else.

    From then on the process gets SIGTERM again and again. While a model is
    fitted, that ends the fit, which saves its state; before and after, it is
    not heeded. Until then SIGTERM means what it always does.

    Args:
        seconds: from now; 0 or less has `fit` stop after its first step.
    """
    over, rung = threading.Event(), threading.Event()

    def ring() -> None:
        pause = max(seconds, 0.0)
        while not over.wait(pause):
            rung.set()
            os.kill(os.getpid(), signal.SIGTERM)
            pause = 0.2

    def hear(number: int, frame: Any) -> None:
        del frame
        if not rung.is_set():
            signal.signal(number, before)
            os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, hear)
    bell = threading.Thread(target=ring, daemon=True)
    bell.start()
    try:
        yield
    finally:
        over.set()
        bell.join()
        signal.signal(signal.SIGTERM, before)
