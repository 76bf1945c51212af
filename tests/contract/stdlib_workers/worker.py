"""A whole Baton worker on Python's standard library: it offers the action `shout` over plain HTTP."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import Request, urlopen

WORKER_ID, BEARER = os.environ["WORKER_ID"], f"Bearer {os.environ['WORKER_SECRET']}"
HEADERS = {"Authorization": BEARER, "X-Worker-ID": WORKER_ID, "Content-Type": "application/json"}
inputs: dict[tuple[object, ...], object] = {}  # of what was accepted, until it is cancelled or acknowledged


def answer(path: str, attempt: tuple[object, ...], call: dict[str, object]) -> tuple[int, dict[str, object]]:
    match path, inputs.get(attempt):
        case "/api/handshake", _ if call.get("action", "shout") != "shout":
            return 200, {"accepted": False, "code": "unsupported", "reason": "this worker can only shout"}
        case "/api/handshake", _:
            inputs[attempt] = given = call.get("inputData") or {}
            return 200, {"accepted": True, "estimatedCompletionMs": 1 + len(str(given)) // 100_000}
        case "/api/process", {"text": str(text)}:
            return 200, {"status": "completed", "result": {"text": text.upper()}}
        case "/api/process", {"texts": [*texts]} if all(isinstance(text, str) for text in texts):
            return 200, {"status": "completed", "result": {"text": " ".join(texts).upper()}}
        case "/api/process", _ if attempt in inputs:
            return 200, {"status": "failed", "error": {"code": "invalid_input", "message": "needs `text` or `texts`"}}
        case "/api/cancel" | "/api/acknowledge", _:
            return 200, {"forgotten": inputs.pop(attempt, None) is not None}
    return (503 if path == "/api/process" else 404), {}  # 503: not accepted here, let it be offered again


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = (call.get("executionId"), call.get("stageId"), call.get("fence"))
        status, document = answer(self.path, key, call) if self.headers["Authorization"] == BEARER else (401, {})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(dict(document, executionId=key[0], stageId=key[1], workerId=WORKER_ID)).encode())


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
serving = Thread(target=server.serve_forever, daemon=True)
serving.start()  # before it registers: the orchestrator looks whether the url answers
url = f"http://127.0.0.1:{server.server_port}"
registration = {"workerId": WORKER_ID, "url": url, "capabilities": ["shout"], "maxConcurrentExecutions": 4}
urlopen(Request(f"{os.environ['BATON_URL']}/api/workers", json.dumps(registration).encode(), HEADERS)).close()
serving.join()
