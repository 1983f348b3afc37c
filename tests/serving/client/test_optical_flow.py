"""The motion over the wire: what the client measures and sends, and REST."""

import base64
import csv
import io
import itertools
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from lgn_client import client, footage, score_table, scoring, transport
from lgn_tf.cli import main
from lgn_tf.data.datasets import layouts
from lgn_tf.data.synthetic import walkways
from lgn_tf.data.video import optical_flow
from lgn_tf.data.video.footage import read_frames
from lgn_tf.files import media
from lgn_tf.scores import video_scores
from tests.exporting.expected import colourful, encode
from tests.serving.client.test_client import TARGET, addresses

ROOT = Path(__file__).parents[3]
FILES = encode(colourful(2, 5, 20, 30), ".png")


STILL = np.zeros((40, 60), np.float32)


@pytest.fixture(params=["rest", "grpc"])
def server(request, moving_server):
    address = addresses(moving_server)[request.param]
    with transport.connect(address, TARGET) as server:
        yield server


@pytest.fixture(scope="module")
def told(moving_server):
    with moving_server.catalogue.borrow("lgn_net") as (_, servable):
        return servable


@pytest.fixture(scope="module", params=[1, 3])
def drawn(request):
    """Returns a drawn video, gray or coloured, blue first."""
    walkway = walkways.draw(
        5, train=0, test=1, frames=12, size=(48, 72), channels=request.param
    )
    return walkway.test[0].frames


def test_there_is_one_algorithm():
    link = ROOT / "serving/lgn_client/optical_flow.py"
    assert link.is_symlink() and link.samefile(optical_flow.__file__)


@pytest.mark.parametrize("kind", [".avi", ".png", ".tif", ".jpg"])
def test_the_client_measures_what_the_evaluation_does(drawn, tmp_path, kind):
    """To the last bit: a video, and folders of every kind of picture."""
    path = tmp_path / "clip"
    if kind == ".avi":
        path = path.with_suffix(kind)
        media.write_video(path, drawn)
    else:
        media.write_images(path, drawn, f"{{}}{kind}", 8)
    (video,) = layouts.recognise(path).videos
    read = read_frames(video)
    wanted = np.stack([one.cells for one in optical_flow.measured(read)])
    assert wanted[0].max() == 0 < wanted[1:].max(axis=(1, 2)).min()
    found = list(score_table._moved(path, []))
    np.testing.assert_array_equal(found, wanted)
    if kind != ".avi":
        files = video.frame_files()
        np.testing.assert_array_equal(
            list(score_table._moved(None, files)), found
        )


@pytest.mark.parametrize("piece", [5, 7, 32])
def test_each_window_gets_the_motion_of_its_last_frame(server, told, piece):
    frames = colourful(1, 20, 20, 30)[0]
    files = encode(frames, ".png").tolist()
    moved = np.random.default_rng(3).uniform(0.05, 0.2, (20, 40, 60))
    moved = moved.astype(np.float32)
    scores = list(
        scoring.score(server, iter(files), piece=piece, motion=iter(moved))
    )
    assert [each.frame for each in scores] == list(range(4, 20))
    assert all(each.valid for each in scores)
    whole = told.run(
        "score_video_with_motion_encoded",
        {
            "encoded_frames": np.array([files], object),
            "motion": moved[None, 4:],
        },
    )
    for name in set(whole) - {"valid"}:
        found = [each.values[name] for each in scores]
        np.testing.assert_allclose(found, whole[name][0], rtol=1e-5, atol=1e-5)


def test_motion_is_read_along_with_the_frames(server):
    """As a camera gives both: no more than what is sent is asked for."""
    files = itertools.cycle(FILES[0].tolist())
    scores = scoring.score(
        server, files, piece=5, parallel=1, motion=itertools.repeat(STILL)
    )
    assert [next(scores).frame for _ in range(3)] == [4, 5, 6]
    scores.close()


def test_fewer_numbers_than_frames(server):
    files = FILES[0].tolist()
    with pytest.raises(ValueError, match=r"`motion` must be one.*: 4 for more"):
        list(scoring.score(server, files, motion=[STILL] * 4))


def test_a_version_that_knows_no_motion(model_server):
    address = addresses(model_server)["rest"]
    with transport.connect(address, TARGET) as server:
        with pytest.raises(transport.ServingError, match="not found in signat"):
            files = FILES[0].tolist()
            list(scoring.score(server, files, motion=[STILL] * 5))


def table(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(row["valid"] == "1" for row in rows)
    return np.array([float(row["anomaly_score"]) for row in rows])


def test_the_client_gets_the_scores_of_lgn_score(
    drawn, moving_server, moving_run, tmp_path, monkeypatch, capsys
):
    media.write_video(tmp_path / "clip.avi", drawn)
    media.write_images(tmp_path / "frames", drawn, "{}.png", 0)
    monkeypatch.chdir(tmp_path)
    argv = ["score", str(moving_run[0]), "clip.avi", "frames", "--gamma", "0"]
    assert main.main([*argv, "--out", "scores"]) == 0
    names = ("clip", "frames")
    wanted = {
        name: video_scores.read_scores(Path("scores"), name) for name in names
    }
    files = [f"frames/{place}.png" for place in range(len(drawn))]
    for address in addresses(moving_server).values():
        for sources, name in (
            (["clip.avi"], "clip"),
            (["frames"], "frames"),
            (files, "frames"),
        ):
            for flags, series in (
                ([], wanted[name].online),
                (["--motion"], wanted[name].online_motion),
            ):
                capsys.readouterr()
                given = ["--server", address, "--piece", "6", *sources]
                assert client.main([*given, *flags]) == 0
                found = table(capsys.readouterr().out)
                np.testing.assert_allclose(found, series, atol=2e-5)
    both = wanted["clip"].online, wanted["clip"].online_motion
    assert np.abs(np.subtract(*both)).min() > 1e-3


def test_frames_that_travel_as_jpeg(
    drawn, moving_server, tmp_path, monkeypatch, capsys
):
    """The motion is of the frames before they are encoded."""
    media.write_video(tmp_path / "clip.avi", drawn)
    sent = []

    def score(_server, frames, *, motion, **_):
        sent.append((list(frames), list(motion)))
        return iter(())

    monkeypatch.setattr(scoring, "score", score)
    argv = [str(tmp_path / "clip.avi"), "--motion", "--encoding", ".jpg"]
    address = addresses(moving_server)["rest"]
    assert client.main([*argv, "--server", address]) == 0
    ((files, moved),) = sent
    frames = list(footage.decoded(tmp_path / "clip.avi"))
    wanted = [one.cells for one in optical_flow.measured(frames)]
    np.testing.assert_array_equal(moved, wanted)
    assert files[0].startswith(b"\xff\xd8") and len(files) == len(moved)
    capsys.readouterr()


def test_the_flow_needs_no_tensorflow(drawn, moving_server, tmp_path):
    media.write_video(tmp_path / "clip.avi", drawn)
    code = (
        "import sys; from lgn_client import client\n"
        "status = client.main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'keras', 'lgn_tf'} & set(sys.modules)\n"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    address = addresses(moving_server)["rest"]
    argv = ["--motion", "--server", address, str(tmp_path / "clip.avi")]
    subprocess.run(
        [sys.executable, "-c", code, *argv],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )


def test_a_picture_that_cannot_be_measured(moving_server, tmp_path, capsys):
    media.write_images(tmp_path / "f", colourful(1, 6, 20, 30)[0], "{}.png", 0)
    (tmp_path / "f" / "3.png").write_bytes(b"")
    address = addresses(moving_server)["rest"]
    argv = ["--server", address, str(tmp_path / "f")]
    assert client.main([*argv, "--motion"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("3.png: not a readable picture, or too large")


def post(server, text):
    return httpx.post(
        f"http://127.0.0.1:{server.rest_port}/v1/models/lgn_net:predict",
        content=text,
        trust_env=False,
        timeout=60,
    )


def cells(number):
    """Returns the text of a map, by that of one number."""
    line = "[" + ", ".join([number] * 60) + "]"
    return "[" + ", ".join([line] * 40) + "]"


def row(place, motion_text=None):
    files = ", ".join(
        f'{{"b64": "{base64.b64encode(each).decode()}"}}'
        for each in FILES[place]
    )
    told = "" if motion_text is None else f', "motion": {motion_text}'
    return f'{{"encoded_frames": [{files}]{told}}}'


def request(*rows):
    name = '"signature_name": "score_with_motion_encoded"'
    return f'{{{name}, "instances": [{", ".join(rows)}]}}'


def test_rows_over_rest(moving_server, told):
    response = post(
        moving_server, request(row(0, cells("0.25")), row(1, cells("1e-2")))
    )
    assert response.status_code == 200, response.text
    motion = np.stack([np.full((40, 60), v, "f4") for v in (0.25, 0.01)])
    inputs = {"encoded_frames": FILES, "motion": motion}
    wanted = told.run("score_with_motion_encoded", inputs)
    for place, answer in enumerate(response.json()["predictions"]):
        assert set(answer) == set(wanted)
        for name, value in answer.items():
            assert value == pytest.approx(wanted[name][place], abs=1e-5)


@pytest.mark.parametrize("wrong", ["NaN", "-0.5", "Infinity", "1e300"])
def test_a_number_that_is_no_motion_over_rest(moving_server, wrong):
    response = post(
        moving_server, request(row(0, cells("0.25")), row(1, cells(wrong)))
    )
    if wrong == "1e300":  # No number of its type.
        assert response.status_code == 400
        return
    assert response.status_code == 200, response.text
    answers = response.json()["predictions"]
    assert [answer["valid"] for answer in answers] == [True, False]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((row(0),), "keys must be equal to: encoded_frames,motion"),
        ((row(0, cells("0.5")), row(1)), "keys must be equal to"),
        ((row(0, '"fast"'),), "key: motion of 'instances' list"),
        ((row(0, "[0.5]"),), "is not compatible with expected shape"),
        ((row(0, cells("0.5")), row(1, "[[0.5]]")), "key: motion of 'instanc"),
    ],
)
def test_requests_that_are_refused_over_rest(moving_server, rows, text):
    response = post(moving_server, request(*rows))
    assert response.status_code == 400
    assert text in response.json()["error"]
