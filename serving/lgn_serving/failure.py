"""A request that cannot be answered: its code and its text.

The codes are those of gRPC, the numbers are what TensorFlow Serving turns them
into over HTTP.
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
    """Ends a request.

    Attributes:
        code: name of a gRPC status code, a key of `HTTP_STATUS`.
        message: what the client reads.
        http_status: what HTTP says.
    """

    def __init__(
        self, code: str, message: str, http_status: int | None = None
    ) -> None:
        """Stores them; the HTTP status follows from the code if not given."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or HTTP_STATUS[code]


def invalid(message: str) -> Failure:
    """Returns the failure of a request that is wrong in itself."""
    return Failure("INVALID_ARGUMENT", message)
