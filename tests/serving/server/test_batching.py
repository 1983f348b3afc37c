"""Requests that arrive together run together, and get their own rows."""

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from lgn_serving.failure import Failure
from lgn_serving.models import settings as model_settings
from lgn_serving.models.batching import BatchedServable
from lgn_serving.models.settings import BatchSettings


class Doubler:
    def __init__(self):
        self.sizes = []
        self.deadlines = []
        self.hold = threading.Event()
        self.hold.set()

    def run(self, name, inputs, only=(), deadline=None):
        self.hold.wait(10)
        self.sizes.append(len(inputs["x"]))
        self.deadlines.append(deadline)
        if name == "fail":
            raise Failure("INTERNAL", "no")
        if name == "short":
            return {"y": inputs["x"][:1]}
        assert not only
        return {"y": inputs["x"] * 2}


def together(servable, requests, name="double", key="x"):
    """Sends requests at once; returns the answers or errors in order."""
    answers = [None] * len(requests)

    def send(place):
        try:
            answers[place] = servable.run(name, {key: requests[place]})
        except Failure as failure:
            answers[place] = failure

    threads = [
        threading.Thread(target=send, args=(place,))
        for place in range(len(requests))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def batched(inner, **settings):
    given = {"max_batch_size": 4, "timeout": 1.0} | settings
    return BatchedServable(inner, BatchSettings(**given))


def test_rows_are_merged_and_handed_out():
    inner = Doubler()
    requests = [np.full((1, 3), value) for value in range(4)]
    start = time.monotonic()
    answers = together(batched(inner), requests)
    # A full batch does not wait for the time to be up.
    assert time.monotonic() - start < 0.9
    assert inner.sizes == [4]
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], request * 2)


def test_requests_of_unequal_size():
    inner = Doubler()
    requests = [np.full((rows, 2), float(rows)) for rows in (3, 2, 3, 1)]
    answers = together(batched(inner, timeout=0.05), requests)
    assert sum(inner.sizes) == 9 and max(inner.sizes) <= 4
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], request * 2)


def test_other_shapes_are_not_merged():
    inner = Doubler()
    requests = [np.ones((1, size)) for size in (2, 3, 2, 3)]
    answers = together(batched(inner, timeout=0.2), requests)
    assert sorted(inner.sizes) == [2, 2]
    assert [answer["y"].shape for answer in answers] == [
        request.shape for request in requests
    ]


def test_a_failing_batch_fails_for_all_in_it():
    requests = [np.ones((1, 2))] * 4
    answers = together(batched(Doubler()), requests, "fail")
    assert [answer.message for answer in answers] == ["no"] * 4
    answers = together(batched(Doubler()), requests, "short")
    assert all("0th dimension" in answer.message for answer in answers)


def test_a_request_that_is_too_large():
    with pytest.raises(Failure, match=r"Task size 5 is larger than.*size 4"):
        batched(Doubler()).run("double", {"x": np.ones((5, 2))})


def test_too_many_waiting_batches():
    inner = Doubler()
    inner.hold.clear()
    servable = batched(
        inner, max_batch_size=1, max_enqueued=1, threads=1, timeout=0.0
    )
    threads = [
        threading.Thread(
            target=servable.run, args=("double", {"x": np.ones((1, 2))})
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    with pytest.raises(Failure, match=r"queue.*is full") as caught:
        servable.run("double", {"x": np.ones((1, 2))})
    assert caught.value.http_status == 503
    inner.hold.set()
    for thread in threads:
        thread.join()


def test_cameras_of_two_sizes_merge_as_files_and_not_as_frames(served):
    shipped = model_settings.read_batching(
        Path(__file__).parents[3] / "serving/deploy/batching.config"
    )
    sizes = []

    class Counting:
        def run(self, name, inputs, only, deadline):
            sizes.append({len(array) for array in inputs.values()})
            return served.run(name, inputs, only, deadline)

    settings = dataclasses.replace(shipped, timeout=1.0)
    servable = BatchedServable(Counting(), settings)
    frames = [
        np.full((1, 5, *size, 3), 100, np.uint8) for size in ((20, 30), (41, 9))
    ]
    files = [
        np.array(
            [[cv2.imencode(".png", each)[1].tobytes() for each in clip[0]]],
            object,
        )
        for clip in frames
    ]
    raw = together(servable, frames, "serving_default", "frames")
    assert sizes == [{1}, {1}]
    sizes.clear()
    merged = together(servable, files, "score_encoded", "encoded_frames")
    assert sizes == [{2}]
    for one, other in zip(raw, merged, strict=True):
        assert other["valid"].all()
        np.testing.assert_allclose(one["psnr"], other["psnr"], rtol=1e-5)


def test_inputs_without_a_common_batch_run_by_themselves():
    inner = Doubler()
    found = batched(inner).run(
        "double", {"x": np.ones((2, 1)), "r": np.ones(3)}
    )
    assert len(found["y"]) == 2


def test_the_default_signature_by_either_name_is_merged():
    inner = Doubler()
    servable = batched(inner, max_batch_size=2, timeout=5.0)
    threads = [
        threading.Thread(
            target=servable.run, args=(name, {"x": np.ones((1, 2))})
        )
        for name in ("", "serving_default")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inner.sizes == [2]


def late_and_early(servable, deadlines):
    """Sends a request with each deadline; returns answers and seconds."""
    start = time.monotonic()

    def send(deadline):
        until = None if deadline is None else start + deadline
        try:
            found = servable.run("", {"x": np.ones((1, 2))}, deadline=until)
        except Failure as failure:
            found = failure
        return found, time.monotonic() - start

    with ThreadPoolExecutor(len(deadlines)) as pool:
        return start, list(pool.map(send, deadlines))


def test_each_request_of_a_batch_is_answered_at_its_own_deadline():
    inner = Doubler()
    inner.hold.clear()
    threading.Timer(1.0, inner.hold.set).start()
    servable = batched(inner, timeout=0.1)
    start, answers = late_and_early(servable, [0.4, 30.0, 0.5, 20.0])
    for found, seconds in (answers[0], answers[2]):
        assert found.code == "DEADLINE_EXCEEDED"
        # The batch runs on.
        assert 0.3 < seconds < 0.95
    for found, _ in (answers[1], answers[3]):
        np.testing.assert_array_equal(found["y"], [[2, 2]])
    assert inner.sizes == [4]
    assert inner.deadlines == [start + 30.0]


def test_a_batch_without_a_deadline_has_none():
    inner = Doubler()
    _, answers = late_and_early(batched(inner, timeout=0.1), [9.0, None])
    assert [found["y"].tolist() for found, _ in answers] == [[[2, 2]]] * 2
    assert inner.deadlines == [None]


def test_what_is_late_before_its_batch_runs_is_not_run():
    inner = Doubler()
    inner.hold.clear()
    servable = batched(inner, threads=1, timeout=0.0, max_batch_size=2)
    first = threading.Thread(
        target=servable.run, args=("", {"x": np.ones((2, 2))})
    )
    first.start()
    time.sleep(0.2)
    threading.Timer(1.0, inner.hold.set).start()
    # They wait until the first batch is done.
    _, answers = late_and_early(servable, [0.3, None])
    first.join()
    assert answers[0][0].code == "DEADLINE_EXCEEDED"
    np.testing.assert_array_equal(answers[1][0]["y"], [[2, 2]])
    assert inner.sizes == [2, 1]


def test_a_batch_in_which_all_are_late_is_not_run():
    inner = Doubler()
    servable = batched(inner, timeout=0.2)
    _, answers = late_and_early(servable, [0.0, -1.0])
    assert {found.code for found, _ in answers} == {"DEADLINE_EXCEEDED"}
    assert inner.sizes == []
