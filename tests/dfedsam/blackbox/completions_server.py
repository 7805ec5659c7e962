"""A server of a small causal model for completions, as vLLM serves one, and for chats; it can be told to misbehave.

A chat's template is its contents, a line each. Log-probabilities come in the older form (a dictionary) for completions
and in the newer one (a list of tokens) for chats, or for both if `newer`.
"""

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
import transformers

KEY = "a-secret-key"
ODD = {  # answers that make no sense
    "malformed": b'{"choices": [{"text": "nonsense"}]}',
    "nan": b'{"choices": [{"logprobs": {"top_logprobs": [{" good": NaN, " bad": -1.0}]}}]}',
    "infinite": b'{"choices": [{"logprobs": {"top_logprobs": [{" good": -1e999, " bad": -1.0}]}}]}',
    "positive": b'{"choices": [{"logprobs": {"top_logprobs": [{" good": 3.5, " bad": -1.0}]}}]}',
    "nested": b"[" * 100_000,
    "digits": b'{"choices": [{"logprobs": {"top_logprobs": [{" good": -' + b"9" * 5000 + b"}]}}]}",
    "list": b'[{"choices": 1}]',
    "nothing": b'{"choices": [{"message": {"content": null}, "logprobs": null}]}',
    "no content": b'{"choices": [{"message": {"content": 7}, "logprobs": {"content": []}}]}',
    "null": b'{"choices": [{"logprobs": {"content": [{"top_logprobs": [{"token": "a", "logprob": null}]}]}}]}',
    "huge": b'{"choices": [{"text": "' + b"x" * (5 << 20) + b'"}]}',
}


class Server(ThreadingHTTPServer):
    """Serves the folder's model; `trouble` holds what befalls the next requests, "" for none."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
        transformers.logging.disable_progress_bar()
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
        transformers.logging.enable_progress_bar()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.trouble: list[str] = []
        self.always = ""
        self.delay = 0.0
        self.lock, self.answered, self.requests, self.now, self.most = threading.Lock(), 0, 0, 0, 0
        self.most_logprobs = self.allowed_logprobs = 1 << 30  # what is given in silence, and what is not refused
        self.newer, self.unknown, self.advice, self.said = False, set[str](), "", "  Great!\n"
        self.bodies: list[dict] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the server's."""


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            trouble = server.trouble.pop(0) if server.trouble else server.always
            server.requests += 1
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            time.sleep(server.delay)
            self.reply(body, trouble)
        finally:
            with server.lock:
                server.now -= 1

    def reply(self, body: dict, trouble: str) -> None:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.send(401, f"no such key: {self.headers.get('Authorization')}".encode())
        if trouble.isdigit():
            return self.send(int(trouble), b"{}")
        if trouble == "slow":
            time.sleep(0.6)
        most = body.get("top_logprobs", body.get("logprobs", 0))
        if most > self.server.allowed_logprobs:
            return self.send(400, f"top_logprobs must be at most {self.server.allowed_logprobs}".encode())
        for field in self.server.unknown & set(body):
            return self.send(400, f"Unsupported parameter: {field}. {self.server.advice}".encode())
        with self.server.lock:
            answer = json.dumps(self.answer(body)).encode()
        if trouble == "cut off":
            return self.send(200, answer[: len(answer) // 2], length=len(answer))
        if trouble in ODD:
            return self.send(200, ODD[trouble])
        with self.server.lock:
            self.server.answered += trouble == ""
            self.server.bodies.append(body)
        return self.send(200, answer)

    def answer(self, body: dict) -> dict:
        """The next token's likeliest, by a plain forward pass."""
        if "messages" in body and "logprobs" not in body:
            return {"choices": [{"message": {"role": "assistant", "content": self.server.said}}]}
        model, tokenizer = self.server.model, self.server.tokenizer
        with torch.inference_mode():
            if "prompt_embeds" in body:
                file = io.BytesIO(base64.b64decode(body["prompt_embeds"]))
                logits = model(inputs_embeds=torch.load(file, weights_only=True)[None]).logits[0, -1]
            else:
                prompt = body.get("prompt") or "\n".join(message["content"] for message in body["messages"])
                ids = tokenizer(prompt).input_ids if isinstance(prompt, str) else prompt
                logits = model(torch.tensor([ids])).logits[0, -1]
        most = body.get("top_logprobs", body["logprobs"])
        top = logits.log_softmax(0).topk(min(most, len(logits), self.server.most_logprobs))
        by_number = body.get("return_tokens_as_token_ids")
        ids = top.indices.tolist()
        names = [f"token_id:{token}" if by_number else tokenizer.decode([token]) for token in ids]
        likeliest = dict(zip(names, top.values.tolist(), strict=True))
        if "messages" in body or self.server.newer:
            rows = zip(ids, names, top.values.tolist(), strict=True)
            content = [{"id": token, "token": name, "logprob": value} for token, name, value in rows]
            return {"choices": [{"logprobs": {"content": [{"token": names[0], "top_logprobs": content}]}}]}
        return {"choices": [{"text": names[0], "logprobs": {"top_logprobs": [likeliest]}}]}

    def send(self, status: int, content: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)
        if length:
            self.close_connection = True


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """The server, in a thread of its own, until the block is left."""
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
