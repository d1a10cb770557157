"""The same requests to Whitewater and to etcd: the answers must be the same. Beside a fixed list of the corners, seeded random
requests over few keys, so that revisions, versions, compaction and refusals meet each other. Needs Go to build etcd once."""
import json
import random
import shutil
import subprocess

from harness import NET, ROOT, Client, Cluster, Failure, Process, Skip, b64, check, wait_for

ETCD = ROOT / ".deps/etcd"
ETCD_ADDRESS = f"{NET}.200"
RANDOM_REQUESTS = 1500
SEED = 20
PATHS = {"put": "/v3/kv/put", "range": "/v3/kv/range", "delete": "/v3/kv/deleterange", "txn": "/v3/kv/txn",
         "compact": "/v3/kv/compaction"}


class Etcd:
    """One member of the pinned etcd on loopback."""

    def __init__(self, folder):
        client, peer = f"http://{ETCD_ADDRESS}:2379", f"http://{ETCD_ADDRESS}:2380"
        self.process = Process(
            [str(ETCD), "--name", "one", "--data-dir", str(folder / "etcd"), "--listen-client-urls", client,
             "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"one={peer}", "--log-level", "error"], folder / "etcd.log", {"PATH": "/usr/bin:/bin"})
        try:
            wait_for("etcd is healthy", self._healthy, 20)
        except Failure:
            self.process.kill()
            raise

    def _healthy(self):
        check(self.process.is_running(), "etcd ended: " + "; ".join(self.process.lines()[-2:]))
        try:
            return self.client().get("/health").status == 200
        except OSError:
            return False

    def client(self):
        return Client(ETCD_ADDRESS, port=2379)


def comparable(reply):
    """The answer without what names a member or a cluster, and without the details of a gRPC status, which nobody promises."""
    try:
        body = reply.json
    except ValueError:
        return reply.status, reply.body.decode(errors="replace").strip()

    def strip(value):
        if isinstance(value, list):
            return [strip(item) for item in value]
        if not isinstance(value, dict):
            return value
        value = {name: strip(item) for name, item in value.items() if name not in ("details", "error")}
        if "header" in value:
            value["header"] = {name: item for name, item in value["header"].items() if name == "revision"}
        return value

    seen = strip(body)
    # Go's protobuf words its parse errors differently from build to build, on purpose; ours say the byte.
    if seen.get("message", "").startswith(("proto:", "invalid JSON at byte")):
        seen["message"] = "not the JSON of this message"
    return reply.status, seen


CORNERS = [
    ("range", {"key": b64("a")}), ("compact", {}), ("compact", {"revision": "0"}), ("compact", {"revision": "-1"}),
    ("compact", {"revision": "1"}), ("compact", {"revision": "2"}), ("compact", {"revision": "99"}),
    ("put", {"key": b64("a"), "value": b64("1")}), ("put", {"key": b64("a")}), ("put", {}), ("put", {"key": ""}),
    ("put", {"key": b64("a"), "ignore_value": True}), ("put", {"key": b64("a"), "value": b64("x"), "ignore_value": True}),
    ("put", {"key": b64("a"), "ignore_lease": True}), ("put", {"key": b64("a"), "lease": "5", "ignore_lease": True}),
    ("put", {"key": b64("zz"), "ignore_lease": True}), ("put", {"key": b64("a"), "lease": "5"}),
    ("put", {"key": b64("a"), "lease": 0, "prevKv": True}), ("put", {"key": b64("b"), "value": b64("2"), "prev_kv": True}),
    ("put", {"key": "not base64!"}), ("put", {"key": 5}), ("put", {"unknown": 1}), ("put", []), ("put", None),
    ("range", {"key": b64("\0"), "range_end": b64("\0")}), ("range", {"key": b64("a"), "range_end": b64("\0")}),
    ("range", {"key": b64("b"), "range_end": b64("a")}), ("range", {"key": b64("a"), "range_end": b64("a")}),
    ("range", {"key": b64("a"), "revision": "-5"}), ("range", {"key": b64("a"), "limit": "-1"}),
    ("range", {"key": b64("a"), "revision": "1"}), ("range", {"key": b64("a"), "revision": 1.5}),
    ("range", {"key": b64("a"), "revision": "x"}), ("range", {"key": b64("a"), "sort_order": "UP"}),
    ("range", {"key": b64("a"), "sort_order": 7}), ("range", {"key": b64("a"), "sort_target": 9}),
    ("range", {"key": b64("a"), "serializable": "yes"}), ("range", {"key": b64("a"), "range_end": b64("z"), "count_only": True, "limit": 1}),
    ("range", {"key": b64("a"), "range_end": b64("z"), "keys_only": True, "limit": 1}), ("range", {}),
    ("range", {"key": b64("a"), "range_end": b64("z"), "min_mod_revision": "3", "limit": 1}),
    ("range", {"key": b64("a"), "range_end": b64("z"), "max_create_revision": "2"}),
    ("delete", {}), ("delete", {"key": b64("nothing")}), ("delete", {"key": b64("z"), "range_end": b64("a")}),
    ("txn", {}), ("txn", {"compare": [{}]}), ("txn", {"success": [{}]}), ("txn", {"compare": [{"key": b64("a")}]}),
    ("txn", {"compare": [{"key": b64("a"), "target": "VALUE", "result": "GREATER", "value": b64("0")}]}),
    ("txn", {"compare": [{"key": b64("a"), "target": "VALUE"}]}), ("txn", {"compare": [{"key": b64("a"), "target": "VERSION"}]}),
    ("txn", {"compare": [{"key": b64("a"), "target": 9}]}), ("txn", {"compare": [{"key": b64("a"), "result": 9}]}),
    ("txn", {"compare": [{"key": b64("a"), "target": "LEASE", "result": "EQUAL"}]}),
    ("txn", {"compare": [{"key": b64("none"), "target": "VALUE", "result": "NOT_EQUAL", "value": b64("1")}]}),
    ("txn", {"compare": [{"key": b64("none"), "target": "VERSION", "result": "EQUAL", "version": "0"}]}),
    ("txn", {"compare": [{"key": b64("a"), "range_end": b64("z"), "target": "CREATE", "result": "GREATER", "create_revision": "0"}]}),
    ("txn", {"compare": [{"key": b64("a"), "target": "MOD", "version": "1"}]}),
    ("txn", {"success": [{"request_txn": {}}]}), ("txn", {"success": [{"request_txn": {"success": [{"request_txn": {}}]}}]}),
    ("txn", {"success": [{"request_txn": {"success": [{"request_put": {"key": b64("c"), "value": b64("3")}}]}},
                         {"request_range": {"key": b64("c")}}]}),
    ("txn", {"success": [{"request_put": {"key": b64("d")}}, {"request_delete_range": {"key": b64("d")}}]}),
    ("txn", {"success": [{"request_delete_range": {"key": b64("a"), "range_end": b64("z")}}, {"request_put": {"key": b64("d")}}]}),
    ("txn", {"success": [{"request_range": {"key": b64("a"), "revision": "99"}}]}),
    ("txn", {"success": [{"request_put": {"key": b64("e")}}], "failure": [{"request_put": {}}]}),
    ("txn", {"success": [{"request_put": {"key": b64("e"), "lease": "9"}}]}),
    ("txn", {"success": [{"request_put": {"key": b64("none"), "ignore_value": True}}]}),
    ("txn", {"success": [{"requestPut": {"key": b64("e")}, "requestRange": {"key": b64("e")}}]}),
    ("delete", {"key": b64("a"), "range_end": b64("\0"), "prev_kv": True}),
    ("put", {"key": b64("a"), "value": b64("again")}), ("compact", {"revision": "3"}), ("compact", {"revision": "3"}),
    ("compact", {"revision": "2"}), ("range", {"key": b64("a"), "revision": "2"}), ("range", {"key": b64("a"), "revision": "3"}),
    ("range", {"key": b64("a"), "range_end": b64("z"), "revision": "3", "count_only": True}),
]


def key(draw):
    return draw.choice("abcdefgh")


def key_range(draw):
    message = {"key": b64(key(draw))}
    shape = draw.random()
    if shape < 0.5:
        message["range_end"] = b64(draw.choice(["\0", "z", key(draw), key(draw)]))
    elif shape < 0.55:
        message = {"key": b64("\0"), "range_end": b64("\0")}
    return message


def put(draw):
    message = {"key": b64(key(draw)), "value": b64(draw.choice(["", "x", "y", "value"]))}
    if draw.random() < 0.3:
        message["prev_kv"] = True
    if draw.random() < 0.05:
        del message["value"]
        message["ignore_value"] = True
    return message


def delete(draw):
    return {**key_range(draw), **({"prev_kv": True} if draw.random() < 0.5 else {})}


def read(draw, revision):
    message = key_range(draw)
    for name, values, chance in (("limit", ["1", "2", "3", 100], 0.3), ("keys_only", [True], 0.2), ("count_only", [True], 0.1),
                                 ("sort_order", ["NONE", "ASCEND", "DESCEND"], 0.3), ("serializable", [True], 0.2),
                                 ("sort_target", ["KEY", "VERSION", "CREATE", "MOD", "VALUE"], 0.3)):
        if draw.random() < chance:
            message[name] = draw.choice(values)
    for name in ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"):
        if draw.random() < 0.08:
            message[name] = str(draw.randint(1, revision + 1))
    if draw.random() < 0.4:
        message["revision"] = str(max(0, revision - draw.choice([-1, 0, 1, 2, 5, 10, 20, 60])))
    # Values of one sort key come in an order that etcd does not define unless the sort is stable; ask where it is one.
    if message.get("sort_target", "KEY") in ("VERSION", "VALUE"):
        message.pop("limit", None)
    return message


def compare(draw, revision):
    target = draw.choice(["VERSION", "CREATE", "MOD", "VALUE", "LEASE"])
    field, value = {"VERSION": ("version", str(draw.randint(0, 3))), "CREATE": ("create_revision", str(draw.randint(0, revision))),
                    "MOD": ("mod_revision", str(draw.randint(0, revision))), "VALUE": ("value", b64(draw.choice(["", "x", "y"]))),
                    "LEASE": ("lease", "0")}[target]
    message = {"key": b64(key(draw)), "target": target, "result": draw.choice(["EQUAL", "GREATER", "LESS", "NOT_EQUAL"]), field: value}
    if draw.random() < 0.2:
        message["range_end"] = b64(draw.choice(["z", key(draw)]))
    return message


def txn(draw, revision, depth=0):
    def operation():
        kind = draw.random()
        if kind < 0.4:
            return {"request_put": put(draw)}
        if kind < 0.6:
            return {"request_delete_range": delete(draw)}
        if kind < 0.95 or depth == 2:
            return {"request_range": read(draw, revision)}
        return {"request_txn": txn(draw, revision, depth + 1)}

    message = {}
    for name, most in (("compare", 2), ("success", 4), ("failure", 3)):
        count = draw.randint(0, most)
        if count:
            message[name] = [compare(draw, revision) if name == "compare" else operation() for _ in range(count)]
    return message


def random_request(draw, revision):
    kind = draw.random()
    if kind < 0.35:
        return "put", put(draw)
    if kind < 0.5:
        return "delete", delete(draw)
    if kind < 0.75:
        return "range", read(draw, revision)
    if kind < 0.98:
        return "txn", txn(draw, revision)
    return "compact", {"revision": str(max(1, revision - draw.randint(0, 30)))}


def scenario_same_answers(context):
    """The corners of the API and seeded random requests, to etcd and to Whitewater: status, codes, messages and bodies are equal."""
    if not ETCD.exists():
        if not shutil.which("go"):
            raise Skip("Go, which builds etcd, is not installed (apt-get install golang)")
        built = subprocess.run([ROOT / "tools/fetch_etcd", ETCD], capture_output=True, text=True)
        if built.returncode != 0:
            raise Skip((built.stderr.strip().splitlines() or ["etcd could not be built"])[-1])
    with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
        etcd = Etcd(cluster.folder)
        try:
            cluster.start()
            ours, theirs = cluster.members[0].client(), etcd.client()
            draw = random.Random(SEED)
            differences, revision = [], 1
            for number in range(len(CORNERS) + RANDOM_REQUESTS):
                kind, message = CORNERS[number] if number < len(CORNERS) else random_request(draw, revision)
                expected, seen = comparable(theirs.call(PATHS[kind], message)), comparable(ours.call(PATHS[kind], message))
                if expected != seen:
                    differences.append(f"request {number}: {kind} {json.dumps(message)}\n  etcd:       {expected}\n  whitewater: {seen}")
                if isinstance(expected[1], dict) and "revision" in expected[1].get("header", {}):
                    revision = int(expected[1]["header"]["revision"])
            check(not differences, f"{len(differences)} answers differ:\n" + "\n".join(differences[:20]))
            check(revision > RANDOM_REQUESTS / 3, f"the requests wrote too little: revision {revision}")
        finally:
            etcd.process.kill()


scenario_same_answers.limit_seconds = 240
