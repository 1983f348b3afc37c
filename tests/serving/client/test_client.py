"""The client: both protocols, videos, progress, and no TensorFlow."""

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import rich.progress
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from lgn_client import client, footage, scoring, transport, wire
from lgn_tf.files import media

ROOT = Path(__file__).parents[3]
TARGET = transport.Target("lgn_net", timeout=30)


def moving(count, height=20, width=30):
    made = np.zeros((count, height, width, 3), np.uint8)
    for place in range(count):
        made[place, :, place % width :, 2] = 200
        made[place, place % height :, :, 0] = 90
    return made


def addresses(server):
    return {
        "rest": f"http://127.0.0.1:{server.rest_port}",
        "grpc": f"grpc://127.0.0.1:{server.grpc_port}",
    }


@pytest.fixture(params=["rest", "grpc"])
def server(request, model_server):
    address = addresses(model_server)[request.param]
    with transport.connect(address, TARGET) as server:
        yield server


def test_bytes_and_numbers(server, served):
    files = np.array(
        [[footage.encode(each, ".png") for each in moving(5)]], object
    )
    inputs = {"encoded_frames": files}
    found = server.predict("predict_encoded", inputs)
    expected = served.run("predict_encoded", inputs)
    assert set(found) == set(expected)
    for name, values in expected.items():
        if name.endswith("_bytes"):
            assert found[name].tolist() == values.tolist()
        else:
            np.testing.assert_allclose(found[name], values, rtol=1e-6)
    raw = {"frames": moving(5)[None, ..., ::-1]}
    np.testing.assert_allclose(
        server.predict("serving_default", raw)["psnr"],
        found["psnr"],
        rtol=1e-5,
    )


@pytest.mark.parametrize("piece", [5, 7, 32])
def test_a_video_is_scored_as_a_whole(server, served, piece):
    files = [footage.encode(each, ".png") for each in moving(20)]
    scores = list(scoring.score(server, iter(files), piece=piece))
    assert [each.frame for each in scores] == list(range(4, 20))
    whole = served.run(
        "score_video_encoded", {"encoded_frames": np.array([files], object)}
    )
    for name in set(whole) - {"valid"}:
        np.testing.assert_allclose(
            [each.values[name] for each in scores],
            whole[name][0],
            rtol=1e-5,
            atol=1e-5,
        )
    assert all(each.valid for each in scores)


def test_a_video_that_is_too_short(server):
    with pytest.raises(ValueError, match=r"at least 5 frames.*4 frames"):
        list(scoring.score(server, [b""] * 4))
    with pytest.raises(ValueError, match=r"`piece` must.*piece=4"):
        list(scoring.score(server, [], piece=4))


def test_refusals(server):
    with pytest.raises(transport.ServingError, match="must have 5 frames"):
        server.predict("", {"frames": np.zeros((1, 3, 4, 4, 3), np.uint8)})


def test_a_version_and_a_label(model_server):
    for address in addresses(model_server).values():
        frames = {"frames": moving(5)[None]}
        one = transport.Target("lgn_net", version=1)
        with transport.connect(address, one) as server:
            server.predict("", frames)
        label = transport.Target("lgn_net", label="stable")
        with transport.connect(address, label) as server:
            with pytest.raises(transport.ServingError, match="version label"):
                server.predict("", frames)


@pytest.mark.parametrize("address", ["127.0.0.1:8501", "ftp://x", "http"])
def test_an_address_of_another_kind(address):
    with pytest.raises(ValueError, match=rf"must start with.*{address}"):
        transport.connect(address, TARGET)
    both = transport.Target("m", version=1, label="stable")
    with pytest.raises(ValueError, match="only one of"):
        transport.connect("http://x", both)


@pytest.mark.parametrize("kind", ["http", "https", "grpc", "grpcs"])
@pytest.mark.parametrize(
    "place", ["", ":80", "x:abc", "x:99999", "x:-1", "x:0", "[::1", "x\0"]
)
def test_an_address_that_is_none(kind, place, capsys):
    address = f"{kind}://{place}"
    with pytest.raises(ValueError, match="must have a host, and a port"):
        transport.connect(address, TARGET)
    # The command says so in a line of its own.
    assert client.main(["v.avi", "--server", address]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert error[0].startswith("lgn_client: an address must have a host")


@pytest.mark.parametrize(
    "kind", ["float32", "float64", "int32", "uint8", "int64", "bool", "object"]
)
def test_messages_are_those_of_tensorflow_serving(kind):
    if kind == "object":
        array = np.array([[b"a", b""], [b"\xff", b"bc"]], object)
    else:
        array = np.arange(6).reshape(2, 3).astype(kind)
    sent = wire.request("m", "s", {"x": array}, version=3)
    official = predict_pb2.PredictRequest.FromString(sent)
    assert official.model_spec.name == "m"
    assert official.model_spec.signature_name == "s"
    assert official.model_spec.version.value == 3
    np.testing.assert_array_equal(tf.make_ndarray(official.inputs["x"]), array)
    answer = predict_pb2.PredictResponse()
    answer.outputs["y"].CopyFrom(tf.make_tensor_proto(array))
    found = wire.response(answer.SerializeToString())["y"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    label = wire.request("m", "", {}, label="stable")
    official = predict_pb2.PredictRequest.FromString(label)
    assert official.model_spec.version_label == "stable"


def test_a_type_that_does_not_travel():
    with pytest.raises(ValueError, match=r"`x` must be of.*complex64"):
        wire.request("m", "", {"x": np.zeros(1, np.complex64)})


def test_footage(tmp_path):
    media.write_images(tmp_path / "tif", moving(3), "{}.tif", 9)
    found, total = footage.open_footage(tmp_path / "tif")
    decoded = [
        cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR)
        for each in found
    ]
    # 9, 10, 11 and not 10, 11, 9.
    np.testing.assert_array_equal(np.stack(decoded), moving(3))
    assert total == 3
    media.write_video(tmp_path / "v.avi", moving(4))
    found, total = footage.open_footage(tmp_path / "v.avi")
    assert len(list(found)) == total == 4
    file = tmp_path / "1.jpg"
    file.write_bytes(b"sent as it is")
    assert footage.read_picture(file) == b"sent as it is"


def test_no_footage(tmp_path):
    with pytest.raises(ValueError, match=r"must hold pictures.*none"):
        footage.open_footage(tmp_path)
    (tmp_path / "v.avi").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"v\.avi: not a readable video"):
        footage.open_footage(tmp_path / "v.avi")
    (tmp_path / "p.bmp").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"p\.bmp: not a readable picture"):
        footage.read_picture(tmp_path / "p.bmp")


def test_a_list_of_videos_opens_no_other_file(tmp_path, monkeypatch):
    secret = tmp_path / "secret.avi"
    frames = np.zeros((3, 32, 40, 1), np.uint8)
    media.write_video(secret, frames)
    lists = {
        "hls.avi": f"#EXTM3U\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile {secret}\n",
        "empty.avi": "",
    }
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda path: pytest.fail(f"{path} was opened")
    )
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        for read in (footage.open_footage, footage.decoded):
            with pytest.raises(ValueError, match=f"{name}: not a readable"):
                read(tmp_path / name)


def test_the_command_needs_no_tensorflow(model_server, tmp_path):
    media.write_video(tmp_path / "v.avi", moving(8))
    media.write_images(tmp_path / "f", moving(6), "{}.png", 0)
    code = (
        "import sys; from lgn_client import client\n"
        "status = client.main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'keras', 'lgn_tf'} & set(sys.modules)\n"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    for address in addresses(model_server).values():
        done = subprocess.run(
            [
                *(sys.executable, "-c", code, "--server", address),
                *(str(tmp_path / "v.avi"), str(tmp_path / "f")),
                *map(str, sorted((tmp_path / "f").iterdir())),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0].startswith("video,frame,valid,anomaly_score,distance")
        assert len(lines) == 1 + 4 + 2 + 2
        # The folder and its pictures one by one are the same video.
        assert [line.split(",")[1:] for line in lines[5:7]] == [
            line.split(",")[1:] for line in lines[7:]
        ]


def test_progress(tmp_path, monkeypatch, capsys):
    media.write_video(tmp_path / "v.avi", moving(8))
    media.write_images(tmp_path / "f", moving(6), "{}.png", 0)
    monkeypatch.chdir(tmp_path)
    bars, halfway = [], []

    class Bar(rich.progress.Progress):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            bars.append(self)

    def score(_server, frames, **_):
        frames = iter(frames)
        # Two are done with when a third is asked for.
        for _ in range(3):
            next(frames)
        deadline = time.monotonic() + 10
        while not bars[0].tasks[-1].completed and time.monotonic() < deadline:
            time.sleep(0.01)
        halfway.append(bars[0].tasks[-1].completed)
        list(frames)
        return iter(())

    monkeypatch.setattr(rich.progress, "Progress", Bar)
    monkeypatch.setattr(scoring, "score", score)
    assert client.main(["v.avi", "f"]) == 0
    assert halfway == [2, 2]
    found = capsys.readouterr()
    assert not found.out
    # Where nobody looks on, the last state is printed.
    rows = [line.split() for line in found.err.splitlines()]
    assert [(row[0], row[-1]) for row in rows] == [
        ("v.avi", "8/8"),
        ("f", "6/6"),
    ]


def test_a_mistake_is_one_line(capsys):
    assert client.main(["nowhere.avi"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "lgn_client: nowhere.avi: not a readable video"


@pytest.mark.parametrize("package", ["cv2", "grpc", "httpx"])
def test_a_package_that_is_missing(package):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from lgn_client import client; sys.exit(client.main(['v.avi']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        f"lgn_client: {package} is missing. It comes along with pip install "
        "'lgn-tf[client]'\n"
    )


def test_a_full_standard_output_is_one_line(
    model_server, tmp_path, monkeypatch
):
    media.write_video(tmp_path / "v.avi", moving(8))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    place = ["--server", addresses(model_server)["rest"]]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lgn_client", *place, tmp_path / "v.avi"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "lgn_client: [Errno 28] No space left on device: 'standard output'"
    )


def test_ctrl_c_ends_without_a_traceback(monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring, "score", stop)
    assert client.main(["nowhere.png"] * 5) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "lgn_client: stopped"


def test_a_full_memory_is_one_line(monkeypatch, capsys):
    def fill(*_, **__):
        raise MemoryError

    monkeypatch.setattr(scoring, "score", fill)
    assert client.main(["nowhere.png"] * 5) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "lgn_client: the memory is used up"
