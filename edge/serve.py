"""The device's own HTTP interface: `POST /predict` and `GET /health`, on the loopback address."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from edge.counters import Counters
from edge.errors import BadRequest, NoModel
from edge.runtime import Runtime
from edge.shadow import Shadow

_MAX_BODY = 1 << 20
_MAX_TEXTS = 64
_MAX_TEXT = 20_000
_IDLE_SECONDS = 30.0


class PredictionServer(ThreadingHTTPServer):
    """Serves predictions; a request keeps the model with which it began.

    Args:
        port: on 127.0.0.1; 0 takes a free one.
        device: the device's name, shown in answers.
        runtime: the models.
        counters: where requests are counted.
        health: gives the body of `GET /health`.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        port: int,
        device: str,
        runtime: Runtime,
        counters: Counters,
        health: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.device = device
        self.runtime = runtime
        self.counters = counters
        self.shadow = Shadow(runtime, counters)
        self.health = health

    @property
    def address(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def predict(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one request.

        Args:
            body: `{"text": ...}` or `{"texts": [...]}`, with an optional `key` that decides which
                variant of an A/B test answers; without one the text itself decides.

        Raises:
            BadRequest: the body is malformed.
            NoModel: nothing is served.
        """
        started = time.perf_counter()
        texts, key = _read_body(body)
        arm = self.runtime.choose(key)
        try:
            predictions = self.runtime.answer(arm, texts)
        except Exception:
            self.counters.failed(arm.assignment, len(texts))
            raise
        elapsed = (time.perf_counter() - started) * 1000
        self.counters.answered(arm.assignment, predictions, elapsed)
        self.shadow.answered(texts, predictions)
        answers = [{"label": p.label, "confidence": round(p.confidence, 6)} for p in predictions]
        return {
            **(answers[0] if "text" in body else {"predictions": answers}),
            "model": arm.assignment.model,
            "version": arm.assignment.version,
            "device": self.device,
            "ms": round(elapsed, 2),
        }


def _read_body(body: dict[str, Any]) -> tuple[list[str], str]:
    given: Any = [body["text"]] if "text" in body else body.get("texts")
    if not isinstance(given, list) or not given:
        raise BadRequest('send {"text": "..."} or {"texts": ["...", ...]}')
    items = cast(list[Any], given)
    if len(items) > _MAX_TEXTS:
        raise BadRequest(f"at most {_MAX_TEXTS} texts in one request")
    for item in items:
        if not isinstance(item, str) or len(item) > _MAX_TEXT:
            raise BadRequest(f"every text is a string of at most {_MAX_TEXT} characters")
    key = body.get("key", items[0])
    if not isinstance(key, str):
        raise BadRequest("key is a string")
    return cast(list[str], items), key


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: PredictionServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        """`GET /health`."""
        if self.path != "/health":
            self._send(404, {"error": "there is only POST /predict and GET /health"})
            return
        health = self.server.health()
        self._send(200 if health["healthy"] else 503, health)

    def do_POST(self) -> None:
        """`POST /predict`."""
        try:
            if self.path != "/predict":
                self.close_connection = True
                self._send(404, {"error": "there is only POST /predict and GET /health"})
                return
            self._send(200, self.server.predict(self._body()))
        except BadRequest as error:
            self.close_connection = True
            self._send(400, {"error": str(error)})
        except NoModel as error:
            self._send(503, {"error": str(error)})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:  # the runtime's own exceptions share no base
            self._send(500, {"error": f"the model failed: {error}"})

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted, not logged: they may hold private text."""

    def _body(self) -> dict[str, Any]:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            raise BadRequest("a Content-Length is needed") from None
        if not 0 <= length <= _MAX_BODY:
            raise BadRequest(f"at most {_MAX_BODY} bytes")
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError as error:
            raise BadRequest(f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequest("the body is a JSON object")
        return cast(dict[str, Any], body)

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
