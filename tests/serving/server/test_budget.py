"""Budgets and queues: for whom a part is kept, and who is next."""

from lgn_serving.budget import Budget, Queue


def test_a_part_is_kept_for_small_requests():
    budget = Budget(100, small=10, reserve=25)
    assert budget.each == 75
    budget.held = 70
    assert budget.fits(5) and budget.fits(10) and not budget.fits(11)
    # The last bytes of a large body are no small request.
    assert not budget.fits(6, whole=50)
    budget.held = 95
    assert budget.fits(5) and not budget.fits(6)


def begin(queue, amount):
    """Returns a turn that has begun."""
    turn = queue.join(amount)
    assert queue.fits(turn)
    queue.take(turn)
    queue.leave(turn)
    return turn


def test_large_requests_leave_the_reserve_to_small_ones():
    queue = Queue(100, small=10, reserve=25)
    assert queue.each == 75
    begin(queue, 70)
    large = queue.join(11)
    assert not queue.fits(large)
    queue.leave(large)
    for amount in (10, 10, 10):
        begin(queue, amount)
    assert not queue.fits(queue.join(1))


def test_large_requests_go_in_the_order_of_their_arrival():
    queue = Queue(100, small=10, reserve=25)
    running = begin(queue, 40)
    first, second = queue.join(60), queue.join(20)
    # It would find enough, and still is the second.
    assert not queue.fits(first) and not queue.fits(second)
    queue.give_back(running)
    assert queue.fits(first) and not queue.fits(second)
    queue.leave(first)  # at its deadline
    assert queue.fits(second)


def test_small_requests_do_not_keep_a_large_one_out():
    queue = Queue(100, small=10, reserve=25)
    running = [begin(queue, 10) for _ in range(10)]
    large = queue.join(75)
    assert not queue.fits(large)
    # The small ones go on, with no more than the reserve.
    for turn in running[:8]:
        assert not queue.fits(queue.join(10))
        queue.give_back(turn)
    begin(queue, 5)
    assert not queue.fits(queue.join(1))
    assert queue.fits(large)
    queue.take(large)
    queue.leave(large)
    queue.give_back(running[8])
    begin(queue, 10)


def test_a_request_that_needs_nothing_waits_for_nobody():
    queue = Queue(1, small=0, reserve=0)
    begin(queue, 1)
    assert not queue.fits(queue.join(1))
    begin(queue, 0)
