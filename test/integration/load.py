"""Clients that write, read and swap for as long as they are told, and remember every answer with its times: the history that
linearizability.check judges, and the writes that must still be there in the end."""
import http.client
import json
import random
import threading
import time

import linearizability
from harness import CERTAINLY_REFUSED, RAFT_PORT, Client, NotConnected, b64, check, unb64, wait_for


class LoadClient(threading.Thread):
    """One client. Moves to the next member when one gives no answer."""

    def __init__(self, number, addresses, keys, seed, pause_seconds, timeout=3, only_reads=False):
        super().__init__(daemon=True)
        self.timeout, self.only_reads = timeout, only_reads
        self.number, self.addresses, self.keys, self.pause_seconds = number, addresses, keys, pause_seconds
        self.rng = random.Random(seed * 1000 + number)
        self.history, self.acknowledged, self.unexpected = [], {}, []
        self.failures = []  # operations that were sent and not answered with success: who only found nobody asks another
        self.stopping = threading.Event()
        self.client = None
        self.counter = 0

    def run(self):
        last_read = {}
        while not self.stopping.is_set():
            if self.client is None:
                self.client = Client(self.rng.choice(self.addresses), RAFT_PORT, timeout=self.timeout)
            dice = 1 if self.only_reads else self.rng.random()
            key = self.rng.choice(self.keys)
            if dice < 0.35:
                self._do(self._put, "put", key)
            elif dice < 0.55:
                self._do(self._unique_put, "unique", f"unique/{self.number}/{self.counter}")
            elif dice < 0.7:
                self._do(self._swap, "cas", key, last_read.get(key, 0))
            else:
                op = self._do(self._get, "get", key)
                if op is not None and op.outcome == linearizability.OK:
                    last_read[key] = op.mod_revision
            if self.pause_seconds:
                time.sleep(self.pause_seconds)

    def _do(self, action, kind, key, expected=0):
        self.counter += 1
        op = linearizability.Op("put" if kind == "unique" else kind, key, time.monotonic(), expected=expected)
        if kind != "get":
            op.value = f"{self.number}.{self.counter}"
        try:
            reply = action(op)
            ended = time.monotonic()
        except NotConnected:
            op.outcome = linearizability.FAILED
            self.client = None
        except (OSError, http.client.HTTPException, ValueError) as error:
            op.outcome = linearizability.UNKNOWN
            self.failures.append(f"{op}: {type(error).__name__} {error} by {self.client.address}")
            self.client.close()
            self.client = None
        else:
            if op.outcome == linearizability.OK:
                op.end = ended
            if reply.status != 200:
                self.failures.append(f"{op}: {reply}")
                self.client.close()
                self.client = None
        self.history.append(op)
        return op

    def _judge(self, op, reply):
        """True for a success. A refusal is certain only where it is known to come before the proposal."""
        if reply.status == 200:
            return True
        message = reply.json.get("message", "") if reply.body.startswith(b"{") else ""
        op.outcome = linearizability.FAILED if message in CERTAINLY_REFUSED else linearizability.UNKNOWN
        if reply.status < 500 and reply.status != 429:
            self.unexpected.append(f"{op}: {reply}")
        return False

    def _put(self, op):
        reply = self.client.call("/v3/kv/put", {"key": b64(op.key), "value": b64(op.value)})
        if self._judge(op, reply):
            op.revision = op.mod_revision = int(reply.json["header"]["revision"])
        return reply

    def _unique_put(self, op):
        reply = self._put(op)
        if op.outcome == linearizability.OK:
            self.acknowledged[op.key] = (op.value, op.revision)
        return reply

    def _read_of(self, op, body):
        kvs = body.get("kvs", [])
        value = unb64(kvs[0]["value"]) if kvs else None
        op.mod_revision = int(kvs[0]["mod_revision"]) if kvs else 0
        return value

    def _get(self, op):
        reply = self.client.call("/v3/kv/range", {"key": b64(op.key)})
        if self._judge(op, reply):
            op.value = self._read_of(op, reply.json)
            op.revision = int(reply.json["header"]["revision"])
        return reply

    def _swap(self, op):
        reply = self.client.call("/v3/kv/txn", {
            "compare": [{"key": b64(op.key), "target": "MOD", "result": "EQUAL", "mod_revision": str(op.expected)}],
            "success": [{"request_put": {"key": b64(op.key), "value": b64(op.value)}}],
            "failure": [{"request_range": {"key": b64(op.key)}}]})
        if self._judge(op, reply):
            body = reply.json
            op.revision = int(body["header"]["revision"])
            op.swapped = body.get("succeeded", False)
            if op.swapped:
                op.mod_revision = op.revision
            else:
                op.read_value = self._read_of(op, body["responses"][0]["response_range"])
        return reply


class Load:
    """Several clients at once, as a context manager."""

    def __init__(self, cluster, clients=6, keys=5, seed=1, pause_seconds=0.003, timeout=3):
        addresses = [member.address for member in cluster.members]
        self.names = [f"key/{i}" for i in range(keys)]
        self.cluster, self.seed = cluster, seed
        self.clients = [LoadClient(i, addresses, self.names, seed, pause_seconds, timeout) for i in range(clients)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join()

    def add_readers(self, member, count, timeout):
        """Clients that ask only this member, and only read. They start at once; their answers are judged with the others'."""
        readers = [LoadClient(len(self.clients) + i, [member.address], self.names, self.seed, 0.003, timeout, only_reads=True)
                   for i in range(count)]
        self.clients += readers
        for reader in readers:
            reader.start()
        return readers

    @property
    def acknowledged_count(self):
        return sum(len(client.acknowledged) for client in self.clients)

    def failed(self):
        """The share of the operations that failed, in words."""
        total = sum(len(client.history) for client in self.clients)
        failures = [text for client in self.clients for text in client.failures]
        share = f"{len(failures)} of {total} ({100 * len(failures) / max(total, 1):.3f} %)"
        return share + (f", the first: {failures[0]}" if failures else "")

    def verify(self):
        """After the load and with a healthy cluster: nothing acknowledged is missing and the history is linearizable."""
        unexpected = [text for client in self.clients for text in client.unexpected]
        check(not unexpected, f"answers that no fault explains: {unexpected[:3]}")
        acknowledged = {key: entry for client in self.clients for key, entry in client.acknowledged.items()}
        check(acknowledged, "nothing was acknowledged")
        history = [op for client in self.clients for op in client.history]
        for member in self.cluster.members:
            started = time.monotonic()
            reply = member.ask("/v3/kv/range", {"key": b64("unique/"), "range_end": b64("unique0")})
            check(reply.status == 200, f"{member.name}: {reply}")
            found = {unb64(kv["key"]): (unb64(kv["value"]), int(kv["mod_revision"])) for kv in reply.json.get("kvs", [])}
            lost = {key: entry for key, entry in acknowledged.items() if found.get(key) != entry}
            check(not lost, f"{member.name} has lost {len(lost)} of {len(acknowledged)} acknowledged writes, among them {list(lost.items())[:3]}")
            # What each key holds in the end belongs to the history too.
            for key in {op.key for op in history if not op.key.startswith("unique/")}:
                body = member.ask("/v3/kv/range", {"key": b64(key)}).json
                kvs = body.get("kvs", [])
                history.append(linearizability.Op(
                    "get", key, started, time.monotonic(), value=unb64(kvs[0]["value"]) if kvs else None,
                    revision=int(body["header"]["revision"]), mod_revision=int(kvs[0]["mod_revision"]) if kvs else 0))
        problems = linearizability.check(history)
        check(not problems, f"{len(problems)} violations in {len(history)} operations:\n" + "\n".join(problems[:5]))
        outcomes = {outcome: sum(op.outcome == outcome for op in history) for outcome in ("ok", "failed", "unknown")}
        return f"{len(history)} operations ({outcomes}), {len(acknowledged)} acknowledged unique writes"


class GapWriter(threading.Thread):
    """A write of one key every PAUSE_SECONDS, one after the other. What fails is tried again at once through the next member, as a
    client with several endpoints does. Remembers when each was acknowledged: the longest time between two is the gap. A context
    manager."""
    PAUSE_SECONDS = 0.002
    ATTEMPT_SECONDS = 0.4

    def __init__(self, members, key="gap"):
        super().__init__(daemon=True)
        self.addresses, self.key = [member.address for member in members], key
        self.stopping = threading.Event()
        self.acknowledged = []  # (when, how long this attempt took)
        self.longest_pause = (0, 0)  # of the machine: by how much a sleep took too long, and when

    def __enter__(self):
        self.start()
        wait_for("first writes", lambda: len(self.acknowledged) > 20, 20)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()

    def run(self):
        client, number = None, 0
        while not self.stopping.is_set():
            client = client or Client(self.addresses[number % len(self.addresses)], RAFT_PORT, timeout=self.ATTEMPT_SECONDS)
            started = time.monotonic()
            try:
                is_done = client.call("/v3/kv/put", {"key": b64(self.key), "value": b64(str(number))}).status == 200
            except (OSError, http.client.HTTPException):
                is_done = False
            ended = time.monotonic()
            if is_done:
                self.acknowledged.append((ended, ended - started))
            else:
                client.close()
                client, number = None, number + 1
            time.sleep(self.PAUSE_SECONDS)
            self.longest_pause = max(self.longest_pause, (time.monotonic() - ended - self.PAUSE_SECONDS, ended))
        if client:
            client.close()

    def wait_for_more(self, what, count=20, seconds=20):
        """Until `count` further writes are acknowledged."""
        before = len(self.acknowledged)
        wait_for(what, lambda: len(self.acknowledged) >= before + count, seconds)

    def count_since(self, since):
        return sum(when >= since for when, _ in self.acknowledged)

    def gap(self, since, until=None):
        """The longest time without an acknowledged write that overlaps the span, in seconds."""
        until = until or time.monotonic()
        times = [when for when, _ in self.acknowledged]
        return max((after - before for before, after in zip(times, times[1:]) if after > since and before < until), default=0)

    def median(self, since, until):
        """Of the times of single writes in the span, in seconds; None without any."""
        times = sorted(took for when, took in self.acknowledged if since <= when <= until)
        return times[len(times) // 2] if times else None
