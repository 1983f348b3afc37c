"""Amounts that requests share, with a part that is kept for small ones.

So a few large requests never lock out the others.
"""

from collections import deque


class Budget:
    """An amount of which a request gets its part at once, or is refused.

    Args:
        most: the amount.
        small: up to this size a request may use the reserve.
        reserve: the part that is kept for small requests.

    Attributes:
        held: what is in use.
        each: what one request may have.
    """

    def __init__(self, most: int, small: int, reserve: int) -> None:
        """Starts with nothing in use."""
        self._most = most
        self._small = small
        self.each = most - reserve
        self.held = 0

    def fits(self, amount: int, whole: int | None = None) -> bool:
        """Returns whether so much is free.

        Args:
            amount: what is wanted now.
            whole: what the request has in the end, if that is more.
        """
        small = (amount if whole is None else whole) <= self._small
        return self.held + amount <= (self._most if small else self.each)


class Turn:
    """One request at one `Queue`.

    Attributes:
        amount: what it wants.
    """

    def __init__(self, amount: int) -> None:
        """Stores the argument."""
        self.amount = amount


class Queue:
    """An amount that requests wait for.

    Large requests have their turn in the order in which they came. While one
    of them waits, small ones have no more than the reserve. Otherwise a steady
    flow of small requests could keep it out for ever.

    Args:
        most: the amount.
        small: up to this size a request need not wait behind others.
        reserve: the part that large requests leave to small ones.

    Attributes:
        each: what one request may have.
    """

    def __init__(self, most: int, small: int, reserve: int) -> None:
        """Starts with nothing in use, and nobody who waits."""
        self._small = small
        self._reserve = reserve
        self.each = most - reserve
        self._held_small = 0
        self._held_large = 0
        self._line: deque[Turn] = deque()

    def join(self, amount: int) -> Turn:
        """Returns a new turn, at the end of the line if it is a large one."""
        turn = Turn(amount)
        if not self._is_small(turn):
            self._line.append(turn)
        return turn

    def leave(self, turn: Turn) -> None:
        """Takes a turn out of the line: it has begun, or has been given up."""
        if not self._is_small(turn):
            self._line.remove(turn)

    def fits(self, turn: Turn) -> bool:
        """Returns whether it is this turn's time, and its amount is free."""
        most = self.each + self._reserve
        free = most - self._held_small - self._held_large
        if not self._is_small(turn):
            left = self.each - self._held_large
            return self._line[0] is turn and turn.amount <= min(free, left)
        if self._line:
            free = min(free, self._reserve - self._held_small)
        return turn.amount <= free

    def take(self, turn: Turn) -> None:
        """Counts the amount of a turn as in use."""
        self._count(turn, turn.amount)

    def give_back(self, turn: Turn) -> None:
        """Counts it as free again."""
        self._count(turn, -turn.amount)

    def _count(self, turn: Turn, amount: int) -> None:
        if self._is_small(turn):
            self._held_small += amount
        else:
            self._held_large += amount

    def _is_small(self, turn: Turn) -> bool:
        return turn.amount <= self._small
