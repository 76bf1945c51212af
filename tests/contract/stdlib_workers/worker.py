"""A whole Baton worker on Python's standard library: it offers the action `shout` over plain HTTP."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

BATON_URL, WORKER_ID, SECRET = os.environ["BATON_URL"], os.environ["WORKER_ID"], os.environ["WORKER_SECRET"]
HEADERS = {"Authorization": f"Bearer {SECRET}", "X-Worker-ID": WORKER_ID, "Content-Type": "application/json"}
inputs: dict[tuple[Any, ...], Any] = {}  # of what was accepted, until it is acknowledged or cancelled


def answer(path: str, call: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    about = {"executionId": call["executionId"], "stageId": call.get("stageId"), "workerId": WORKER_ID}
    attempt = (call["executionId"], call.get("stageId"), call.get("fence"))
    if path == "/api/handshake" and call.get("action", "shout") != "shout":
        return 200, {**about, "accepted": False, "code": "unsupported", "reason": "this worker can only shout"}
    if path == "/api/handshake":
        inputs[attempt] = call["inputData"]
        return 200, {**about, "accepted": True, "estimatedCompletionMs": 1 + len(str(inputs[attempt])) // 1000}
    if path == "/api/process" and attempt in inputs:
        texts = inputs[attempt].get("texts") or [inputs[attempt].get("text")]
        if all(isinstance(text, str) for text in texts):
            return 200, {**about, "status": "completed", "result": {"text": " ".join(texts).upper()}}
        error = {"code": "invalid_input", "message": "needs a `text`, or `texts`", "retryable": False}
        return 200, {**about, "status": "failed", "error": error}
    if path in ("/api/cancel", "/api/acknowledge"):
        inputs.pop(attempt, None)
        return 200, about
    return (503 if path == "/api/process" else 404), about
