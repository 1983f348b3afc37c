"""Answers that are too large, malformed, or not what was asked for."""

import contextlib
import gzip
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from lgn_client import client, footage, score_table, scoring, transport
from lgn_client.scoring import Score
from lgn_client.texts import one_line
from lgn_tf.files import media
from tests.serving import listeners

INPUTS = {"x": np.zeros(1)}
BOUND = 2**16
# It clears the screen, and turns the direction of writing around.
EVIL = "\x1b[2J\u202e\nfake"
HARMLESS = r"\x1b[2J\u202e fake"


def http(body, *headers, status=200):
    """Returns an answer of HTTP as its bytes."""
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def as_json(outputs):
    values = {name: np.array(each).tolist() for name, each in outputs.items()}
    return json.dumps({"outputs": values}).encode()


def as_message(outputs):
    message = predict_pb2.PredictResponse()
    for name, each in outputs.items():
        message.outputs[name].CopyFrom(tf.make_tensor_proto(each))
    return message.SerializeToString()


@contextlib.contextmanager
def over_rest(answer, heard):
    """Yields the address of a server that writes the bytes of `answer`.

    Args:
        answer: the bytes, or an iterable of them.
        heard: a list; the headers of each request are appended.
    """

    class Handler(listeners.Handler):
        def do_POST(self):
            heard.append(self.headers)
            self.rfile.read(int(self.headers["content-length"]))
            parts = [answer] if isinstance(answer, bytes) else answer
            # A client that has read enough goes away.
            with contextlib.suppress(OSError):
                for part in parts:
                    self.wfile.write(part)

    with listeners.over_http(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def over_grpc(answer, heard):
    """Yields the address of a server; `answer` takes the context."""

    def called(_, context):
        heard.append(dict(context.invocation_metadata()))
        return answer(context)

    service = "tensorflow.serving.PredictionService"
    with listeners.over_grpc({service: {"Predict": called}}) as port:
        yield f"grpc://127.0.0.1:{port}"


@contextlib.contextmanager
def serving(kind, outputs):
    """Yields the address of a server that always sends these outputs."""
    if kind == "rest":
        opened = over_rest(http(as_json(outputs)), [])
    else:
        opened = over_grpc(lambda _: as_message(outputs), [])
    with opened as address:
        yield address


def ask(address, **patience):
    target = transport.Target("m", **{"timeout": 30, "tries": 3} | patience)
    with transport.connect(address, target) as server:
        return server.predict("serving_default", INPUTS)


def unusable(address, text, **patience):
    """Checks that the answer counts as unusable, in one line."""
    with pytest.raises(transport.ServingError) as info:
        ask(address, **patience)
    assert info.value.code == "INTERNAL"
    place = address.replace("grpc://", "")
    assert str(info.value).startswith(
        f"INTERNAL: unusable answer of {place}: {text}"
    )
    assert str(info.value).isprintable()


def endless(written):
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    yield head
    while True:
        written.append(2**16)
        yield b"10000\r\n" + b" " * 2**16 + b"\r\n"


def test_an_endless_answer():
    written, heard = [], []
    with over_rest(endless(written), heard) as address:
        unusable(address, f"larger than {BOUND} bytes", answer_bytes=BOUND)
    assert len(heard) == 1
    # The rest lies in buffers of the system.
    assert sum(written) < BOUND + 2**25


def test_an_endless_refusal():
    body = json.dumps({"error": "x" * BOUND}).encode()
    with over_rest(http(body, status=400), []) as address:
        unusable(address, f"larger than {BOUND} bytes", answer_bytes=BOUND)


def test_an_answer_that_expands():
    """Nor is it asked for: a few bytes would be any number of them."""
    heard = []
    body = gzip.compress(as_json({"y": [1.0]}))
    answer = http(body, "content-encoding: gzip")
    with over_rest(answer, heard) as address:
        unusable(address, "encoded unasked as gzip")
    assert [each["accept-encoding"] for each in heard] == ["identity"]


def test_an_answer_that_just_fits():
    text = as_json({"y": [1.5]})
    with over_rest(http(text), []) as address:
        assert ask(address, answer_bytes=len(text))["y"] == [1.5]
        unusable(address, "larger than", answer_bytes=len(text) - 1)
    message = as_message({"y": [1.5]})
    with over_grpc(lambda _: message, []) as address:
        assert ask(address, answer_bytes=len(message))["y"] == [1.5]
        unusable(address, "larger than", answer_bytes=len(message) - 1)


@pytest.mark.parametrize("way", grpc.Compression)
def test_a_large_message(way):
    def answer(context):
        context.set_compression(way)
        return bytes(BOUND + 1)

    heard = []
    with over_grpc(answer, heard) as address:
        unusable(address, f"larger than {BOUND} bytes", answer_bytes=BOUND)
    # It would be as large another time.
    assert len(heard) == 1


def test_a_request_too_large_is_sent_once():
    def answer(context):
        context.abort(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Received message larger than max (9 vs. 8)",
        )

    heard = []
    with over_grpc(answer, heard) as address:
        with pytest.raises(transport.ServingError, match=r"RESOURCE.*9 vs\. 8"):
            ask(address)
    assert len(heard) == 1


NO_ARRAY = "`y`: no array of one type, but of"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html>", "Expecting value"),
        (b"\xff\xfe", ""),
        (b"[" * 200_000, "JSON of too many levels"),
        *((each, "no outputs") for each in (b"{}", b"[]", b"null", b"1")),
        (b'{"outputs": null}', "`serving_default`: no array of one type"),
        (b'{"outputs": {"y": [[1], [2, 3]]}}', f"{NO_ARRAY} list"),
        (b'{"outputs": {"y": [1, true]}}', f"{NO_ARRAY} bool, int"),
        (b'{"outputs": {"y": [1, "a"]}}', f"{NO_ARRAY} int, str"),
        (b'{"outputs": {"y": [null]}}', f"{NO_ARRAY} NoneType"),
        (b'{"outputs": {"y": [%s]}}' % (b"9" * 30), "`y`: "),
        (b'{"outputs": {"y": [1.5, %s]}}' % (b"9" * 400), "`y`: "),
        (b'{"outputs": {"y": [%s]}}' % (b"9" * 5000), "Exceeds the limit"),
        (b'{"outputs": {"y": [{"b64": "!"}]}}', "`y`: "),
        (b'{"outputs": {"y": [{"b64": 1}]}}', "`y`: no file in base64"),
        (b'{"outputs": {"y": [{}]}}', "`y`: no file in base64"),
        (b'{"outputs": {"y": ["\\ud800"]}}', "`y`: "),
        (b'{"outputs": {"\\u001b": [null]}}', r"`\x1b`: no array"),
    ],
)
def test_a_malformed_body(body, text):
    heard = []
    with over_rest(http(body), heard) as address:
        unusable(address, text)
    assert len(heard) == 1


@pytest.mark.parametrize("status", [400, 503])
@pytest.mark.parametrize("body", [b"[" * 200_000, b"null", b"\xff\xfe", b""])
def test_a_malformed_refusal(body, status):
    with over_rest(http(body, status=status), []) as address:
        with pytest.raises(transport.ServingError, match=f"^{status}: "):
            ask(address, tries=1)


@pytest.mark.parametrize("place", ["mailto:x", "http://xn--a", "http://[::1"])
def test_a_redirect_to_no_address(place):
    answer = http(b"", f"location: {place}", status=302)
    with over_rest(answer, []) as address:
        with pytest.raises(transport.ServingError):
            ask(address, tries=1)


def test_cookies_are_not_kept():
    heard = []
    answer = http(as_json({"y": [1.0]}), "set-cookie: a=b")
    with over_rest(answer, heard) as address:
        with transport.connect(address, transport.Target("m")) as server:
            for _ in range(2):
                server.predict("", INPUTS)
    assert [each["cookie"] for each in heard] == [None, None]


def test_an_error_names_no_password():
    with over_rest(http(b"{}"), []) as address:
        with pytest.raises(transport.ServingError) as info:
            ask(address.replace("//", "//user:secret@"))
    assert f"answer of {address}: " in str(info.value)


def tensor(dtype, shape, **values):
    message = predict_pb2.PredictResponse()
    made = message.outputs["y"]
    made.dtype = dtype
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    if "tensor_content" in values:
        made.tensor_content = values.pop("tensor_content")
    for name, each in values.items():
        getattr(made, name).extend(each)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"\xff", "no predict response"),
        (tensor(14, [1], half_val=[1]), "`y`: values of the unknown type 14"),
        (tensor(0, []), "`y`: values of the unknown type 0"),
        (tensor(1, [2], float_val=[1]), "`y`: 1 values in the shape [2]"),
        (tensor(1, [1], float_val=[1, 2]), "`y`: 2 values in the shape [1]"),
        (tensor(1, [-1], float_val=[1]), "`y`: 1 values in the shape [-1]"),
        (tensor(1, [2**62] * 2, float_val=[1]), "`y`: 1 values in the shape"),
        (tensor(1, [2**62, 0]), "`y`: "),
        (tensor(1, [1] * 100, float_val=[1]), "`y`: "),
        (tensor(1, [1], tensor_content=b"abc"), "`y`: "),
        (tensor(7, [1], tensor_content=b"12345678"), "`y`: "),
        (tensor(4, [2], int_val=[1, 256]), "`y`: numbers that are no bytes"),
        (tensor(4, [1], int_val=[-1]), "`y`: numbers that are no bytes"),
    ],
)
def test_a_malformed_message(message, text):
    heard = []
    with over_grpc(lambda _: message, heard) as address:
        unusable(address, text)
    assert len(heard) == 1


def test_strings_are_bytes():
    expected = [[b"a", b"\xc3\xa4"]]
    for kind, sent in (("rest", [["a", "ä"]]), ("grpc", expected)):
        with serving(kind, {"y": sent}) as address:
            found = ask(address)["y"]
            assert found.dtype == object and found.tolist() == expected


GOOD = {"valid": [[True] * 4], "psnr": [[1.5] * 4]}
WRONG = [
    ({"valid": [[True]]}, "no scores"),
    ({"psnr": [[1.5] * 4]}, "no scores"),
    ({"valid": [[True]], "psnr": [[1.5]]}, "`valid` is bool (1, 1)"),
    (GOOD | {"psnr": [[1.5] * 3]}, " (1, 3)"),
    (GOOD | {"psnr": [[1.5] * 7]}, " (1, 7)"),
    (GOOD | {"psnr": [[1.5] * 4] * 2}, " (2, 4)"),
    (GOOD | {"psnr": [1.5] * 4}, " (4,)"),
    (GOOD | {"psnr": 1.5}, " ()"),
    (GOOD | {"psnr": [[True] * 4]}, "`psnr` is bool"),
    (GOOD | {"psnr": [["1"] * 4]}, "`psnr` is object"),
    (GOOD | {"valid": [[1.5] * 4]}, "`valid` is float"),
    (GOOD | {"psnr": [[1.5, 1.5, 1.5, np.nan]]}, "`psnr` is no score"),
    (GOOD | {"psnr": [[1.5, 1.5, 1.5, np.inf]]}, "`psnr` is no score"),
    (GOOD | {EVIL: [[1.5] * 4]}, f"`{HARMLESS}` is no score"),
    (GOOD | {"=1+1": [[1.5] * 4]}, "`=1+1` is no score"),
]


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Returns a folder of 8 frames, which are 4 windows."""
    folder = tmp_path_factory.mktemp("frames")
    media.write_images(folder, np.zeros((8, 16, 16, 3), np.uint8), "{}.png", 0)
    return folder


@pytest.mark.parametrize("kind", ["rest", "grpc"])
@pytest.mark.parametrize(("outputs", "text"), WRONG)
def test_scores_of_something_else(kind, outputs, text, frames, capsys):
    with serving(kind, outputs) as address:
        assert client.main(["--server", address, str(frames)]) == 2
    found = capsys.readouterr()
    assert not found.out
    error = found.err.splitlines()[-1]
    place = address.replace("grpc://", "")
    assert error.startswith(f"lgn_client: INTERNAL: unusable answer of {place}")
    assert text in error and error.isprintable()


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_scores_of_each_window(kind, frames, capsys):
    with serving(kind, GOOD) as address:
        assert client.main(["--server", address, str(frames)]) == 0
        rows = capsys.readouterr().out.splitlines()
        assert rows[0] == "video,frame,valid,psnr"
        assert [row.split(",")[1:] for row in rows[1:]] == [
            [str(place), "1", "1.5"] for place in range(4, 8)
        ]
        # The model has other windows than the client believes.
        argv = ["--server", address, "--window", "4", str(frames)]
        assert client.main(argv) == 2
        error = capsys.readouterr().err
        assert "to 8 frames in windows of 4" in error


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_what_is_not_valid_may_have_no_score(kind, frames, capsys):
    valid, psnr = [[True] * 3 + [False]], [[1.5] * 3 + [np.nan]]
    with serving(kind, {"valid": valid, "psnr": psnr}) as address:
        assert client.main(["--server", address, str(frames)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(",")[2:] for row in rows[1:]] == [
        *(3 * [["1", "1.5"]]),
        ["0", "nan"],
    ]


def test_motion_is_answered_for_each_window_too():
    files = [footage.encode(np.zeros((16, 16), np.uint8), ".png")] * 9
    with serving("rest", GOOD) as address:
        with transport.connect(address, transport.Target("m")) as server:
            with pytest.raises(transport.ServingError, match=r"bool \(1, 4\)"):
                motion = [np.zeros((60, 60), np.float32)] * 9
                list(scoring.score(server, files, motion=motion))


def test_scores_that_change_their_names(capsys):
    table = score_table._Table()
    table.add("v", Score(4, True, {"psnr": 1.0}))
    with pytest.raises(ValueError, match=r"frame 5 on .* scores: distance"):
        table.add("v", Score(5, True, {"distance": 1.0}))
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_a_server_says_is_one_line(frames, capsys):
    body = json.dumps({"error": EVIL}).encode()

    def refuse(context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, EVIL)

    for opened in (
        over_rest(http(body, status=400), []),
        over_rest(http(EVIL.encode(), status=400), []),
        over_grpc(refuse, []),
    ):
        with opened as address:
            with pytest.raises(transport.ServingError) as info:
                ask(address)
            assert info.value.message == HARMLESS
            assert str(info.value).endswith(f": {HARMLESS}")
            assert client.main(["--server", address, str(frames)]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("lgn_client: ") and error.endswith(HARMLESS)


def test_a_name_of_a_file_is_one_line(capsys):
    assert client.main([f"{EVIL}.avi"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"lgn_client: {HARMLESS}.avi: not a readable video"


def test_a_name_of_a_folder_is_no_markup(tmp_path, capsys, monkeypatch):
    """The progress shows it as it is."""
    black = np.zeros((8, 16, 16, 3), np.uint8)
    name = f"[red]a[/b]{EVIL}"
    media.write_images(tmp_path / name, black, "{}.png", 0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    with serving("rest", GOOD) as address:
        assert client.main(["--server", address, name]) == 0
    assert f"[red]a[/b]{HARMLESS}" in capsys.readouterr().err


def test_one_line():
    assert one_line("as it is: ä 漢字") == "as it is: ä 漢字"
    assert one_line(" a\r\n b\u2028c\0\x9b\ud800\U000e0001") == (
        r"a  b c\x00\x9b\ud800\U000e0001"
    )
    assert len(one_line("a" * 10**6)) == 4096
