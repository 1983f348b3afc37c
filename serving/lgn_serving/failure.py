"""The error of a request that cannot be answered: its code and its text.

The codes are gRPC's. The numbers are the HTTP statuses that TensorFlow Serving
sends for them.
"""

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "FAILED_PRECONDITION": 412,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Failure(ValueError):
    """Ends a request with an error.

    Attributes:
        code: name of a gRPC status code, a key of `HTTP_STATUS`.
        message: the text that the client reads.
        http_status: the status of the HTTP answer.
        counted: whether the metrics have counted it.
    """

    def __init__(
        self, code: str, message: str, http_status: int | None = None
    ) -> None:
        """Takes the HTTP status from the code where none is given."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or HTTP_STATUS[code]
        self.counted = False


def invalid(message: str) -> Failure:
    """Returns the failure of a request with wrong contents."""
    return Failure("INVALID_ARGUMENT", message)


def late() -> Failure:
    """Returns the failure of a request whose deadline has passed."""
    return Failure(
        "DEADLINE_EXCEEDED", "The request was not done by its deadline"
    )


def shortened(text: str, most: int) -> str:
    """Cuts a text that would take too many bytes in an answer.

    Args:
        text: of an error; it may quote what a client sent.
        most: bytes; a character that is not plain ASCII counts as it is
            written in a header of HTTP, with three characters a byte.

    Returns:
        The text, or its beginning and "...".
    """
    size = 0
    for place, letter in enumerate(text):
        plain = " " <= letter <= "~" and letter != "%"
        size += 1 if plain else 3 * len(letter.encode(errors="replace"))
        if size > most:
            return f"{text[:place]}..."
    return text
