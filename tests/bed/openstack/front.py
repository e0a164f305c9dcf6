"""The front door: one TLS port with a path for each service, and faults on the way.

usage: front.py FD DIRECTORY

A rule of knobs.json's `http` looks so; only `count` (-1: for ever) must be there:
  {"service": "compute", "method": "POST", "path": "/servers$", "count": 1, "delay": 2.5,
   "status": 429, "headers": {"Retry-After": "2"}, "body": "", "after": true, "hang_up": true}
`delay` comes first. `status` answers in the service's place, and `hang_up` closes the connection
instead; with `after` the service has done the request by then, and only its answer is lost.

Each request is a line of log/requests.jsonl once it has its answer, or its hang-up.
"""

import http.client
import http.server
import json
import re
import socket
import ssl
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from knobs import Knobs
from settings import SERVICES

directory = Path(sys.argv[2])
knobs = Knobs(directory)
ports = json.loads((directory / "access.json").read_text())["ports"]
backends = {kind: ports[service] for service, (kind, _) in SERVICES.items()}
# unbuffered, and opened for appending: a line is one write, so that threads need no lock
requests = (directory / "log/requests.jsonl").open("ab", buffering=0)
DROPPED = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "host",
    "x-forwarded-for",
}


def rule_for(kind, method, path):
    """The first rule that fits this request and is not used up."""

    def fits(rule):
        return (
            rule["count"]
            and rule.get("service", kind) == kind
            and rule.get("method", method) == method
            and re.search(rule.get("path", ""), path.partition("?")[0])
        )

    def use(values):
        rule = next(filter(fits, values["http"]), None)
        if rule:
            rule["count"] -= rule["count"] > 0
        return rule

    return knobs.change(use) if any(map(fits, knobs.get("http"))) else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 300
    # head and body are two writes: the second would wait for the client's delayed acknowledgement of the first
    disable_nagle_algorithm = True

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def answer(self, status, headers, body):
        self.status = status
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status >= 200 and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def forward(self, kind, path, body):
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in DROPPED
        } | {
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-Host": self.headers["Host"],
            "X-Forwarded-Prefix": f"/{kind}",
            "Connection": "close",
        }
        backend = http.client.HTTPConnection("127.0.0.1", backends[kind], timeout=300)
        backend.request(self.command, path, body or None, headers)
        answer = backend.getresponse()
        content = answer.read()
        backend.close()
        return (
            answer.status,
            [(n, v) for n, v in answer.getheaders() if n.lower() not in DROPPED],
            content,
        )

    def handle_request(self):
        body = self.body()
        _, _, rest = self.path.partition("/")
        kind, _, path = rest.partition("/")
        if kind not in backends:
            return self.answer(404, [], b"no such service\n")
        rule = rule_for(kind, self.command, "/" + path)
        if not rule:
            return self.answer(*self.forward(kind, "/" + path, body))
        time.sleep(rule.get("delay", 0))
        answer = (
            self.forward(kind, "/" + path, body)
            if rule.get("after") or not (rule.get("status") or rule.get("hang_up"))
            else None
        )
        if rule.get("hang_up"):
            self.close_connection = True
            self.connection.close()
        elif rule.get("status"):
            self.answer(
                rule["status"],
                rule.get("headers", {}).items(),
                rule.get("body", "a fault was asked for\n").encode(),
            )
        else:
            self.answer(*answer)

    def handle_and_log(self):
        self.status = 0
        received = datetime.now(timezone.utc)
        try:
            self.handle_request()
        finally:
            line = {
                "received": received.isoformat(),
                "answered": datetime.now(timezone.utc).isoformat(),
                "method": self.command,
                "path": self.path,
                "status": self.status,
            }
            requests.write(json.dumps(line).encode() + b"\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_and_log

    def log_message(self, *args):
        pass


class Front(http.server.ThreadingHTTPServer):
    def __init__(self, listener):
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.tls = None
        if (directory / "etc/front.pem").exists():
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(directory / "etc/front.pem", directory / "etc/front.key")

    def get_request(self):
        connection, peer = self.socket.accept()
        if self.tls:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, peer

    def handle_error(self, request, peer):
        if not isinstance(
            sys.exc_info()[1], (ConnectionError, ssl.SSLError, TimeoutError, ValueError)
        ):
            super().handle_error(request, peer)


Front(socket.socket(fileno=int(sys.argv[1]))).serve_forever()
