// A whole Baton worker on Node's standard library: it offers the action `shout` over plain HTTP.

import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";

const { BATON_URL, WORKER_SECRET, WORKER_ID, PORT = "0" } = process.env;
const authorization = `Bearer ${WORKER_SECRET}`;
const headers = { authorization, "X-Worker-ID": WORKER_ID, "Content-Type": "application/json" };
const inputs = new Map(); // of what was accepted, until it is cancelled or acknowledged

function answer(path, attempt, call) {
  if (path === "/api/handshake" && (call.action ?? "shout") !== "shout")
    return [200, { accepted: false, code: "unsupported", reason: "this worker can only shout" }];
  if (path === "/api/handshake") {
    inputs.set(attempt, call.inputData ?? {});
    return [200, { accepted: true, estimatedCompletionMs: 1 + Math.floor(JSON.stringify(call).length / 100_000) }];
  }
  if (path === "/api/process" && inputs.has(attempt)) {
    const { text, texts = [text] } = inputs.get(attempt);
    if (Array.isArray(texts) && texts.every((each) => typeof each === "string"))
      return [200, { status: "completed", result: { text: texts.join(" ").toUpperCase() } }];
    return [200, { status: "failed", error: { code: "invalid_input", message: "needs `text` or `texts`" } }];
  }
  if (path === "/api/cancel" || path === "/api/acknowledge") return [200, { forgotten: inputs.delete(attempt) }];
  return [path === "/api/process" ? 503 : 404, {}]; // 503: not accepted here, let it be offered again
}

const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
  const call = (await json(request).catch(() => null)) ?? {};
  const { executionId, stageId, fence } = call;
  const isAllowed = request.headers.authorization === authorization;
  const [status, document] = isAllowed ? answer(request.url, `${executionId} ${stageId} ${fence}`, call) : [401, {}];
  response.writeHead(status).end(JSON.stringify({ executionId, stageId, workerId: WORKER_ID, ...document }));
});
await once(server.listen(Number(PORT), "127.0.0.1"), "listening"); // the orchestrator looks whether the url answers
const url = `http://127.0.0.1:${server.address().port}`;
const body = JSON.stringify({ workerId: WORKER_ID, url, capabilities: ["shout"], maxConcurrentExecutions: 4 });
const registered = await fetch(`${BATON_URL}/api/workers`, { method: "POST", headers, body });
if (!registered.ok) throw new Error(await registered.text());
