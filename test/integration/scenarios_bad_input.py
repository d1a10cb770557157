"""Bad input from clients, peers and disks: a clear error each, nothing lost, no crash."""
import json
import os
import pathlib
import random
import resource
import shutil
import socket
import struct
import subprocess
import time

from harness import DEFAULTS, RAFT_PORT, Cluster, Process, Skip, b64, check, wait_for


def raw(address, data, seconds=3, half_close=True):
    """Sends bytes, returns what comes back until the peer closes or the time is over."""
    with socket.create_connection((address, RAFT_PORT), timeout=seconds) as connection:
        connection.settimeout(seconds)
        answer = b""
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while len(answer) < 1 << 20:
                chunk = connection.recv(65536)
                if not chunk:
                    break
                answer += chunk
        except OSError:
            pass
        return answer


def check_unharmed(cluster):
    for member in cluster.members:
        check(member.is_running(), f"{member.name} ended: {member.last_lines(10)}")
    cluster.put("still", "works")
    check(cluster.get("still", via=cluster.members[-1]) == "works", "a read after bad input")


def memory_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def scenario_bad_requests(context):
    """Wrong JSON, bad base64, unknown paths, wrong methods, oversized bodies."""
    with Cluster(context, environment=DEFAULTS) as cluster:
        cluster.start()
        client = cluster.members[0].client()

        def answer(method, path, body, status, code=None, part=None):
            reply = client.request(method, path, body)
            check(reply.status == status, f"{method} {path} {str(body)[:60]!r}: expected {status}: {reply}")
            if code is not None:
                check(reply.json.get("code") == code and reply.json.get("message") and reply.json.get("error"), f"{method} {path}: {reply}")
            if part is not None:
                check(part in reply.body, f"{method} {path}: expected {part!r}: {reply}")

        for body in ("{", "null", "[]", '"x"', '{"key":}', '{"key":"a2V5"', '{"key":"!!!"}', '{"key":5}', '{"key":"aw==","limit":"many"}',
                     '{"key":"aw==","key":"aw=="}', "{" * 2000, '{"key":"aw==","x":' + "[" * 2000):
            answer("POST", "/v3/kv/range", body, 400, code=3)
        answer("POST", "/v3/kv/range", b'{"x":"\xff\xfe"}', 400, code=3)
        answer("POST", "/v3/kv/nonsense", "{}", 404, code=5)
        answer("GET", "/v3/kv/put", None, 501, code=12)
        answer("POST", "/v3/lease/grant", "{}", 501, code=12)
        answer("GET", "/nonsense", None, 404, part=b"404 page not found")
        answer("DELETE", "/health", None, 405)

        big = json.dumps({"key": b64("big"), "value": b64(b"x" * (1600 * 1024))})
        answer("POST", "/v3/kv/put", big, 400, code=3, part=b"request is too large")
        huge = json.dumps({"key": b64("big"), "value": b64(b"x" * (3 * 1024 * 1024))})
        answer("POST", "/v3/kv/put", huge, 429, code=8)
        ok = json.dumps({"key": b64("big"), "value": b64(b"x" * (1500 * 1024))})
        answer("POST", "/v3/kv/put", ok, 200)
        check("kvs" in cluster.members[2].call("/v3/kv/range", {"key": b64("big"), "keys_only": True}).json, "the largest value")
        check_unharmed(cluster)


def scenario_bad_bytes_on_the_port(context):
    """Random bytes, broken HTTP, endless headers, lengths that lie, TLS and HTTP/2 where they are not served."""
    rng = random.Random(7)
    with Cluster(context) as cluster:
        cluster.start()
        address, pid = cluster.members[0].address, cluster.members[0].process.pid
        before = memory_kb(pid)
        blobs = [rng.randbytes(rng.choice((1, 2, 7, 64, 4096, 65536))) for _ in range(150)]
        blobs += [b"GET / HTTP/9.9\r\n\r\n", b"POST /v3/kv/put HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n{}",
                  b"POST /v3/kv/put HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000,
                  b"GET /" + b"a" * 1_000_000, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                  b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 100_000,
                  b"POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}"]
        # What starts like a frame between members but does not go on like one.
        start = b"\xabWWR"
        blobs += [start + rng.randbytes(62) for _ in range(50)] + [start + struct.pack("<IIII", 0xFFFFFFFF, 0xFFFFFFFF, 0, 0) + bytes(64)]
        for blob in blobs:
            raw(address, blob, seconds=1)
        wait_for("the member answers", lambda: cluster.members[0].is_ready(), 20)
        grown = memory_kb(pid) - before
        check(grown < 64 * 1024, f"memory grew by {grown} KB")
        check_unharmed(cluster)


def scenario_half_open_connections(context):
    """Two hundred connections that say nothing or stop in the middle do not keep others from being served."""
    with Cluster(context) as cluster:
        cluster.start()
        connections = []
        try:
            for i in range(200):
                connection = socket.create_connection((cluster.members[0].address, RAFT_PORT), timeout=5)
                connection.sendall((b"", b"P", b"POST /v3/kv/put HTTP/1.1\r\nContent-Length: 100\r\n\r\n{", b"\xabWWR")[i % 4])
                connections.append(connection)
            started = time.monotonic()
            for i in range(20):
                cluster.put(f"beside/{i}", "v")
            # Waiting for one of them to time out would take ten seconds.
            check(time.monotonic() - started < 9, "requests beside half-open connections are slow")
        finally:
            for connection in connections:
                connection.close()
        check_unharmed(cluster)


def scenario_peer_of_another_cluster(context):
    """A member of one cluster is pointed at another: refused in words, both clusters unharmed."""
    with Cluster(context) as cluster:
        cluster.start()
        own_id = cluster.check_one_cluster()
        cluster.put("k", "ours")
        for member in cluster.members:
            member.stop()
        # The same names and addresses form a second cluster from empty disks; then one disk of the first one returns.
        kept = cluster.folder / "kept"
        cluster.members[2].data_dir.rename(kept)
        for member in cluster.members[:2]:
            shutil.rmtree(member.data_dir)
        for member in cluster.members:
            member.start()
        cluster.wait_ready()
        second_id = cluster.check_one_cluster()
        check(second_id != own_id, "the second cluster has the first one's id")
        cluster.put("k", "theirs")
        intruder = cluster.members[2]
        intruder.stop()
        intruder.data_dir.rename(cluster.folder / "second")
        kept.rename(intruder.data_dir)
        intruder.start()
        def is_refused():
            text = "\n".join(intruder.process.lines() + cluster.members[0].process.lines())
            return any(word in text for word in ("another cluster", "other cluster", "wrong cluster"))
        wait_for("somebody says that the clusters differ", is_refused, 20)
        time.sleep(1)  # in which it must not become ready
        check(intruder.is_running() or intruder.process.child.returncode in (3, 8), f"exit {intruder.process.child.returncode}")
        check(not intruder.is_ready(), "a member of another cluster is ready")
        check(cluster.get("k") == "theirs", "the running cluster was changed")
        check(cluster.members[0].cluster_id() == second_id, "the running cluster's id was changed")


def refuses(member, code, *words, flags=()):
    member.start(*flags)
    seen = member.wait_exit(30)
    text = "\n".join(member.process.lines()[-4:])
    check(seen == code, f"{member.name}: exit {seen}, expected {code}: {text}")
    check(any(word in text.lower() for word in words), f"{member.name} does not say why ({words}): {text}")


def scenario_data_directory_of_another_member(context):
    """Two members on one directory, a file in its place, a swapped disk."""
    with Cluster(context) as cluster:
        cluster.start()
        cluster.put("k", "v")
        zero, one, two = cluster.members
        # While the owner runs, it holds the lock.
        two.stop()
        two.environment["WHITEWATER_DATA_DIR"] = str(one.data_dir)
        refuses(two, 3, "lock", "use")
        two.environment.clear()
        # A directory that was member 1's, started under the name of member 2.
        one.stop()
        two.environment["WHITEWATER_DATA_DIR"] = str(one.data_dir)
        refuses(two, 3, "whitewater-1", "another member")
        two.environment["WHITEWATER_DATA_DIR"] = str(cluster.folder / "whitewater-0.log")
        refuses(two, 3, "directory")
        two.environment.clear()
        for member in (one, two):
            member.start()
        cluster.wait_ready()
        check(cluster.get("k") == "v", "the data is gone")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_version(file, version):
    """The identity record (docs/log-format.md) as a newer version would write it: magic u64, version u16, zero u16, body length
    u32, body, CRC-32C of all that; two copies of 4 KiB."""
    copies = []
    for copy in (file[:4096], file[4096:8192]):
        length = struct.unpack_from("<I", copy, 12)[0]
        check(copy[:6] == b"WWMETA" and length < 4000, f"the identity record begins with {copy[:16]!r}")
        record = copy[:8] + struct.pack("<H", version) + copy[10:16 + length]
        copies.append((record + struct.pack("<I", crc32c(record))).ljust(4096, b"\0"))
    return b"".join(copies)


def scenario_newer_format(context):
    """An identity record that a newer version wrote, or whose copies are both damaged, is refused and left as it is."""
    with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
        cluster.start()
        cluster.put("k", "v")
        member = cluster.members[0]
        member.stop()
        identity = member.data_dir / "identity"
        kept = identity.read_bytes()
        for content, code, words in ((with_version(kept, 9), 5, ("newer",)), (bytes(len(kept)), 4, ("damaged", "no identity", "corrupt", "identity")),
                                     (bytes(b ^ 0xFF for b in kept), 4, ("damaged", "corrupt", "identity")), (None, 4, ("identity",))):
            if content is None:
                identity.unlink()
            else:
                identity.write_bytes(content)
            refuses(member, code, *words)
            check(content is None or identity.read_bytes() == content, "the record was changed")
        identity.write_bytes(kept)
        member.start()
        cluster.wait_ready()
        check(cluster.get("k") == "v", "the data is gone")


def scenario_damaged_log(context):
    """A byte changed in the middle of the log that was written long ago is refused or mended from the others, never served."""
    with Cluster(context) as cluster:
        cluster.start()
        for i in range(200):
            cluster.put(f"k/{i}", "v" * 2000)
        member = cluster.members[2]
        member.stop()
        segments = sorted((path for path in member.data_dir.rglob("*") if path.is_file() and path.stat().st_size >= 1 << 20), key=str)
        check(segments, f"no segment in {[str(p) for p in member.data_dir.rglob('*')]}")
        damaged = False
        for path in segments:
            data = path.read_bytes()
            at = data.find(b"k/50")
            if at > 0:
                damaged = True
                path.write_bytes(data[:at] + b"k/5X" + data[at + 4:])
                break
        check(damaged, "the write is in no segment")
        member.start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and member.is_running() and not member.is_ready():
            time.sleep(0.05)
        if member.is_running():
            check(cluster.get("k/50", via=member, serializable=True) in ("v" * 2000, None), "damage was served")
        else:
            check(member.process.child.returncode == 4, f"exit {member.process.child.returncode}: {member.last_lines()}")
            check("segment" in member.last_lines(1) and "offset" in member.last_lines(1), f"the place is not named: {member.last_lines()}")
        check(cluster.get("k/50") == "v" * 2000, "the others were harmed")


def scenario_read_only_directory(context):
    """A read-only file system is refused in words. Needs mount rights; without them a missing parent folder stands in."""
    with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
        member = cluster.members[0]
        cluster.dns.serve([0])
        folder = cluster.folder / "read-only"
        folder.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True).returncode == 0
        try:
            if mounted:
                member.environment["WHITEWATER_DATA_DIR"] = str(folder / "data")
                refuses(member, 3, "read-only")
            else:
                member.environment["WHITEWATER_DATA_DIR"] = "/proc/whitewater"
                refuses(member, 3, "cannot", "denied", "no such")
        finally:
            if mounted:
                subprocess.run(["umount", str(folder)], check=True)


def scenario_tmpfs_without_direct_io(context):
    """A data directory in memory runs, with a loud warning and the buffered strategy."""
    if not os.access("/dev/shm", os.W_OK):
        raise Skip("no /dev/shm here")
    folder = pathlib.Path("/dev/shm") / f"whitewater-test-{os.getpid()}"
    try:
        with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
            member = cluster.members[0]
            member.environment["WHITEWATER_DATA_DIR"] = str(folder)
            cluster.start()
            cluster.put("k", "v")
            check(any("tmpfs" in line and "warn" in line for line in member.process.lines()), "no warning about tmpfs")
            row = member.table()[0]
            check(row["log_strategy"] in ("buffered", "thread", "uring"), f"{row}")
            member.kill()
            member.start()
            cluster.wait_ready()
            check(cluster.get("k") == "v", "the data is gone")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scenario_wrong_options(context):
    """Wrong options end the start with exit 2 and one line each; service link variables do nothing."""
    with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
        cluster.dns.serve([0])
        member = cluster.members[0]
        refuses(member, 2, "did you mean --election-timeout-ms", flags=("--election-timout-ms", "100"))
        member.environment["WHITEWATER_ELECTION_TIMEOUT_MS"] = "soon"
        refuses(member, 2, "whitewater_election_timeout_ms")
        member.environment = {"WHITEWATER_SERVICE_PORT": "tcp://10.96.0.1:8090", "WHITEWATER_SERVICE_PORT_8090_TCP_ADDR": "10.96.0.1",
                              "WHITEWATER_LOG_LEVLE": "warn"}
        member.start()
        cluster.wait_ready()
        text = "\n".join(member.process.lines())
        check("WHITEWATER_LOG_LEVEL" in text, "no warning about WHITEWATER_LOG_LEVLE")
        check("WHITEWATER_SERVICE_PORT" not in text, "a word about a service link variable")


def scenario_address_in_use(context):
    """A listen address that is taken is refused with exit 7."""
    with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
        cluster.dns.serve([0])
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((cluster.members[0].address, RAFT_PORT))
            taken.listen()
            refuses(cluster.members[0], 7, "in use", "cannot")


def scenario_single_member_start_and_size(context):
    """A single member from exec to ready, five times; idle under 40 MB."""
    with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
        cluster.dns.serve([0])
        member = cluster.members[0]
        times = []
        for _ in range(5):
            started = time.monotonic()
            member.start()
            wait_for("ready", member.is_ready, 20, interval=0.002)
            times.append(time.monotonic() - started)
            resident = memory_kb(member.process.pid)
            check(resident < 40 * 1024, f"{resident} KB resident")
            member.stop()
            shutil.rmtree(member.data_dir)
        context.figure("a single member from exec to ready", f"{sorted(round(t * 1000) for t in times)} ms")
        context.figure("a single member, resident", f"{resident // 1024} MB")


def scenario_little_locked_memory(context):
    """Where the locked memory of a user has no room for a ring, a member runs on epoll and says why (pods of one node share it)."""
    if os.getuid() != 0:
        raise Skip("only root can start a member as another user")
    user = ["setpriv", "--reuid", "10001", "--regid", "10001", "--clear-groups", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"]
    for kib in (64, 2048, 3000):
        with Cluster(context, count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
            cluster.dns.serve([0])
            member = cluster.members[0]
            for folder in (cluster.folder, *cluster.folder.parents):
                if "whitewater-integration" in str(folder):
                    os.chmod(folder, 0o755)  # made for root alone
            member.data_dir.mkdir()
            os.chown(member.data_dir, 10001, 10001)
            member.before_exec = [lambda kib=kib: resource.setrlimit(resource.RLIMIT_MEMLOCK, (kib * 1024, kib * 1024))]
            member.process = Process([*user, str(cluster.binary), "serve"], member.log, member.full_environment(), member.before_exec)
            cluster.wait_ready()
            row = member.table()[0]
            first = next(line for line in member.process.lines() if '"I am' in line)
            if "seccomp profile" in first or "io_uring_disabled" in first:
                raise Skip("io_uring is refused here before its memory matters")
            check(row["reactor"] == "epoll" and ("locked memory" in first or "RLIMIT_MEMLOCK" in first), f"{kib} KiB: {row} {first}")
