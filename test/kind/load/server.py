#!/usr/bin/env python3
"""The process of the load pod. Waits for orders on its own loopback, which come by `kubectl exec load -- python3 ask.py ORDER JSON`."""
import http.server
import json
import sys
import threading
import time

import harness
import load
from pods import Pods

PORT = 7000


class Bench:
    """One watched service, and at most one load on it."""

    def __init__(self):
        self.pods, self.load, self.gap, self.lock = None, None, None, threading.Lock()

    def watch(self, service):
        """Forgets everything and looks at this service."""
        self._end_load()
        if self.pods:
            self.pods.stop()
        self.pods = Pods(service)
        return {"now": time.monotonic()}

    def now(self):
        return {"now": time.monotonic(), "sample": self.pods.latest[1] if self.pods and self.pods.latest else None}

    def formed(self, voters, limit_seconds):
        return self.pods.formed(voters, limit_seconds)

    def start(self, clients, pause_seconds, seed):
        harness.check(self.load is None, "a load is running already")
        self.load = load.Load(self.pods, clients=clients, keys=4, seed=seed, pause_seconds=pause_seconds)
        self.gap = load.GapWriter(self.pods.members)
        self.gap.PAUSE_SECONDS = 0.01  # on the instance: several pods share few cores
        for client in (*self.load.clients, self.gap):
            client.addresses = self.pods  # follows the pods as they come and go
        self.load.__enter__()
        self.gap.__enter__()
        return {"now": time.monotonic()}

    def window(self, since, until):
        """What clients saw of a span of this process's monotonic clock."""
        ops = [op for client in self.load.clients for op in list(client.history) if since <= op.start < until]
        outcomes = {name: sum(op.outcome == name for op in ops) for name in ("ok", "failed", "unknown")}
        return {"operations": len(ops), **outcomes, "gap": self.gap.gap(since, until), "writes": self.gap.count_since(since),
                "median": self.gap.median(since, until),
                "samples": [(when, sample) for when, sample in self.pods.samples if since <= when < until]}

    def stop(self):
        """Ends the load and judges it: nothing acknowledged is lost, and the history is linearizable."""
        harness.check(self.load is not None, "no load is running")
        running, self.load = self.load, None
        gap, self.gap = self.gap, None
        gap.__exit__()
        running.__exit__()
        self.judged = running
        return {"verdict": running.verify()}

    def verify(self):
        """Judges the last load again, for example after every pod was deleted."""
        return {"verdict": self.judged.verify()}

    def _end_load(self):
        if self.load:
            self.gap.__exit__()
            self.load.__exit__()
        self.load = self.gap = None


BENCH = Bench()
ORDERS = {name: getattr(BENCH, name) for name in ("watch", "now", "formed", "start", "window", "stop", "verify")}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            answer = {"ok": ORDERS[self.path[1:]](**json.loads(body))}
        except Exception as error:  # whatever went wrong is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def main():
    print(f"orders are taken on 127.0.0.1:{PORT}", flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()


if __name__ == "__main__":
    sys.exit(main())
