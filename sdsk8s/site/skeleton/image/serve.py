"""A small HTTP service, to be replaced by your program. `/health` answers ok, `/` the message of the settings file."""

import configparser
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

settings = configparser.ConfigParser()
settings.read(os.environ["SETTINGS"])
service = settings["service"]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = {"/health": "ok", "/": service["message"]}
        text = known.get(self.path, f"expected / or /health, got {self.path}")
        body = f"{text}\n".encode()
        self.send_response(200 if self.path in known else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("0.0.0.0", service.getint("port")), Handler)
# Kubernetes ends a pod with TERM: stop taking connections, then exit.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"serving on port {service['port']}", flush=True)
server.serve_forever()
