"""The device's own HTTP interface, on the loopback address unless its owner says otherwise.

`POST /predict` for classifiers, `POST /v1/chat/completions` and `GET /v1/models` as OpenAI's API
has them for language models, `GET /health`.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar, cast

from edge.counters import Counters
from edge.errors import BadRequest, NoModel
from edge.handover import HEADER, HandOver, Policy
from edge.runtime import Arm, Prediction, Runtime
from edge.samples import Samples
from edge.shadow import Shadow

_MAX_BODY = 1 << 20
_MAX_TEXTS = 64
_MAX_TEXT = 20_000
_IDLE_SECONDS = 30.0
_PATHS = "there is POST /predict, POST /v1/chat/completions, GET /v1/models and GET /health"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where a device serves.

    Attributes:
        port: 0 takes a free one.
        host: an address of this machine.
        key: what requests must show as a bearer token; None asks for nothing.
    """

    port: int = 0
    host: str = "127.0.0.1"
    key: str | None = None


class PredictionServer(ThreadingHTTPServer):
    """Serves predictions; a request keeps the model with which it began.

    Args:
        options: where it listens, and what it asks for.
        device: the device's name, shown in answers.
        runtime: the models.
        counters: where requests are counted.
        health: gives the body of `GET /health`.
        handover: gives requests to a server group.
        samples: keeps a sample of the requests.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        options: ServeOptions,
        device: str,
        runtime: Runtime,
        counters: Counters,
        health: Callable[[], dict[str, Any]],
        handover: HandOver | None = None,
        samples: Samples | None = None,
    ) -> None:
        super().__init__((options.host, options.port), _Handler)
        self.host = options.host
        self.key = options.key
        self.device = device
        self.runtime = runtime
        self.counters = counters
        self.shadow = Shadow(runtime, counters)
        self.health = health
        self.handover = handover or HandOver(Policy(), device)
        self.samples = samples

    @property
    def address(self) -> str:
        """The base URL."""
        return f"http://{self.host}:{self.server_port}"

    def predict(self, body: dict[str, Any], handed: bool = False) -> dict[str, Any]:
        """Answer one request, here or by a server group.

        Args:
            body: `{"text": ...}` or `{"texts": [...]}`, with an optional `key` that decides which
                variant of an A/B test answers; without one the text itself decides.
            handed: True if another device handed it over; it goes no further then.

        Raises:
            BadRequest: the body is malformed.
            NoModel: nothing is served.
        """
        texts, key = _read_body(body)
        large = None if handed else self.handover.too_large(texts)
        if large and (answer := self.handover.ask("/predict", body, large)):
            return answer
        started = time.perf_counter()
        arm = self.runtime.choose(key)
        predictions = self._counted(arm, len(texts), lambda: self.runtime.answer(arm, texts))
        elapsed = (time.perf_counter() - started) * 1000
        self.counters.answered(arm.assignment, predictions, elapsed)
        self.counters.asked(arm.assignment, texts, predictions)
        self.shadow.answered(texts, predictions)
        if self.samples is not None:
            self.samples.answered(arm.assignment, texts, predictions)
        unsure = None if handed or large else self.handover.unsure(predictions)
        if unsure and (answer := self.handover.ask("/predict", body, unsure)):
            return answer
        answers = [_shown(p) for p in predictions]
        return {
            **(answers[0] if "text" in body else {"predictions": answers}),
            "model": arm.assignment.model,
            "version": arm.assignment.version,
            "device": self.device,
            "ms": round(elapsed, 2),
        }

    def chat(self, body: dict[str, Any], handed: bool = False) -> dict[str, Any]:
        """Answer one request of OpenAI's chat completions API; see `predict` for the rest.

        `user` decides which variant of an A/B test answers.
        """
        texts = _read_messages(body)
        large = None if handed else self.handover.too_large(["".join(texts)])
        if large and (answer := self.handover.ask("/v1/chat/completions", body, large)):
            return answer
        started = time.perf_counter()
        arm = self.runtime.choose(str(body.get("user", texts[-1])))
        found = self._counted(arm, 1, lambda: self.runtime.complete(arm, body))
        elapsed = (time.perf_counter() - started) * 1000
        self.counters.answered(arm.assignment, [Prediction("chat", 1.0)], elapsed)
        served = f"{arm.assignment.model}:{arm.assignment.version}"
        return {**found, "model": served, "device": self.device}

    def models(self) -> dict[str, Any]:
        """What is served, as OpenAI's API lists models."""
        served = [arm.assignment for arm in self.runtime.arms]
        data = [{"id": f"{a.model}:{a.version}", "object": "model"} for a in served]
        return {"object": "list", "data": data}

    def _counted(self, arm: Arm, inputs: int, run: Callable[[], _Answer]) -> _Answer:
        try:
            return run()
        except BadRequest:
            raise
        except Exception:
            self.counters.failed(arm.assignment, inputs)
            raise


def _read_messages(body: dict[str, Any]) -> list[str]:
    given: Any = body.get("messages")
    if not isinstance(given, list) or not given:
        raise BadRequest('send {"messages": [{"role": "user", "content": "..."}]}')
    texts: list[str] = []
    for message in cast(list[Any], given):
        content: Any = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str):
            raise BadRequest("every message has a role and a content that is a string")
        texts.append(content)
    if body.get("stream"):
        raise BadRequest("answers are sent whole: leave out stream")
    return texts


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
        """`GET /health` and `GET /v1/models`."""
        if self.path == "/v1/models":
            self._send(200, self.server.models())
            return
        if self.path != "/health":
            self._send(404, {"error": _PATHS})
            return
        health = self.server.health()
        self._send(200 if health["healthy"] else 503, health)

    def do_POST(self) -> None:
        """`POST /predict` and `POST /v1/chat/completions`."""
        try:
            answer = {"/predict": self.server.predict, "/v1/chat/completions": self.server.chat}
            if self.path not in answer:
                self.close_connection = True
                self._send(404, {"error": _PATHS})
            elif not self._may():
                self.close_connection = True
                self._send(401, {"error": "this device asks for a key: Authorization: Bearer ..."})
            else:
                handed = self.headers.get(HEADER) is not None
                self._send(200, answer[self.path](self._body(), handed))
        except BadRequest as error:
            self.close_connection = True
            self._send(400, {"error": str(error)})
        except NoModel as error:
            self._send(503, {"error": str(error)})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:  # the runtime's own exceptions share no base
            self._send(500, {"error": f"the model failed: {error}"})

    def _may(self) -> bool:
        key = self.server.key
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return key is None or hmac.compare_digest(shown.encode(), key.encode())

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


def _shown(prediction: Prediction) -> dict[str, Any]:
    told: dict[str, Any] = {
        "label": prediction.label,
        "confidence": round(prediction.confidence, 6),
    }
    return told if prediction.labels is None else {**told, "labels": list(prediction.labels)}
