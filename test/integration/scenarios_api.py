"""The HTTP API as curl sees it, through a cluster of three: etcd's shapes, errors and codes."""
import json

from harness import DEFAULTS, Cluster, b64, check, metric, unb64, wait_for


def expect(reply, status, body=None, part=None):
    check(reply.status == status, f"expected {status}: {reply}")
    if body is not None:
        seen = reply.json
        seen.pop("header", None)
        check(seen == body, f"expected {body}: {seen}")
    if part is not None:
        check(part in reply.body.decode(errors="replace"), f"expected {part!r}: {reply}")
    return reply


def refused(reply, status, code, message):
    expect(reply, status)
    seen = reply.json
    check(seen.get("code") == code and seen.get("message") == message, f"expected {code} {message!r}: {reply}")


def scenario_key_value_requests(context):
    """put, range, deleterange, txn, compaction and their refusals, each through another member."""
    with Cluster(context, environment=DEFAULTS) as cluster:
        cluster.start()
        a, b, c = (member.client() for member in cluster.members)
        first = int(expect(a.call("/v3/kv/put", {"key": b64("k"), "value": b64("1")}), 200, {}).json["header"]["revision"])
        check(first == 2, f"the first write of an empty store has revision 2, not {first}")
        for field in ("cluster_id", "member_id", "revision", "raft_term"):
            check(field in a.call("/v3/kv/range", {"key": b64("k")}).json["header"], f"header lacks {field}")

        # A read through any member sees what any other acknowledged.
        for number, (writer, reader) in enumerate(((a, b), (b, c), (c, a)), 2):
            writer.call("/v3/kv/put", {"key": b64("k"), "value": b64(str(number))})
            kv = reader.call("/v3/kv/range", {"key": b64("k")}).json["kvs"][0]
            check(unb64(kv["value"]) == str(number) and kv["version"] == str(number) and kv["create_revision"] == "2", f"{kv}")
        expect(a.call("/v3/kv/put", {"key": b64("k"), "value": b64("x"), "prev_kv": True}), 200, part='"prev_kv":{')

        for i in range(5):
            b.call("/v3/kv/put", {"key": b64(f"p/{i}"), "value": b64("v")})
        page = b.call("/v3/kv/range", {"key": b64("p/"), "range_end": b64("p0"), "limit": "2"}).json
        check(page["count"] == "5" and page["more"] is True and len(page["kvs"]) == 2, f"{page}")
        check(b.call("/v3/kv/range", {"key": b64("p/"), "range_end": b64("p0"), "count_only": True}).json["count"] == "5", "count_only")
        descending = b.call("/v3/kv/range", {"key": b64("p/"), "range_end": b64("p0"), "sort_order": "DESCEND", "keys_only": True}).json["kvs"]
        check([unb64(kv["key"]) for kv in descending] == [f"p/{i}" for i in (4, 3, 2, 1, 0)], f"{descending}")
        check(c.call("/v3/kv/deleterange", {"key": b64("p/"), "range_end": b64("p0")}).json["deleted"] == "5", "deleterange")
        check("deleted" not in c.call("/v3/kv/deleterange", {"key": b64("p/")}).json, "deleterange of nothing")

        old = a.call("/v3/kv/range", {"key": b64("k"), "revision": "2"}).json["kvs"][0]
        check(unb64(old["value"]) == "1", f"an older revision: {old}")
        current = int(a.call("/v3/kv/range", {"key": b64("k")}).json["header"]["revision"])
        refused(a.call("/v3/kv/range", {"key": b64("k"), "revision": str(current + 100)}), 400, 11,
                "etcdserver: mvcc: required revision is a future revision")
        expect(b.call("/v3/kv/compaction", {"revision": str(current), "physical": True}), 200)
        refused(c.call("/v3/kv/range", {"key": b64("k"), "revision": "2"}), 400, 11, "etcdserver: mvcc: required revision has been compacted")
        refused(b.call("/v3/kv/compaction", {"revision": str(current)}), 400, 11, "etcdserver: mvcc: required revision has been compacted")
        refused(a.call("/v3/kv/put", {"value": b64("1")}), 400, 3, "etcdserver: key is not provided")
        refused(a.call("/v3/kv/put", {"key": b64("none"), "ignore_value": True}), 400, 3, "etcdserver: key not found")
        refused(a.call("/v3/kv/put", {"key": b64("k"), "value": b64("1"), "lease": "77"}), 404, 5, "etcdserver: requested lease not found")
        refused(a.call("/v3/kv/range", {"key": b64("k"), "sort_order": 9}), 400, 3, "etcdserver: invalid sort option")


def scenario_transactions(context):
    """Compares, branches, nesting, limits and duplicate keys."""
    with Cluster(context, environment=DEFAULTS) as cluster:
        cluster.start()
        client = cluster.members[1].client()

        def txn(message):
            return client.call("/v3/kv/txn", message)

        absent = {"key": b64("t"), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
        put_one = {"requestPut": {"key": b64("t"), "value": b64("1")}}
        read = {"request_range": {"key": b64("t")}}
        done = expect(txn({"compare": [absent], "success": [put_one], "failure": [read]}), 200).json
        check(done["succeeded"] is True, f"{done}")
        done = expect(txn({"compare": [absent], "success": [put_one], "failure": [read]}), 200).json
        check("succeeded" not in done and unb64(done["responses"][0]["response_range"]["kvs"][0]["value"]) == "1", f"{done}")
        revision = done["header"]["revision"]
        nested = {"request_txn": {"success": [{"request_put": {"key": b64("n"), "value": b64("2")}}, read]}}
        done = expect(txn({"success": [{"request_put": {"key": b64("m"), "value": b64("1")}}, nested]}), 200).json
        check(int(done["header"]["revision"]) == int(revision) + 1, f"one transaction is one revision: {done}")
        check("response_txn" in done["responses"][1], f"{done}")

        put = lambda key: {"request_put": {"key": b64(key), "value": b64("v")}}  # noqa: E731
        refused(txn({"success": [put("d"), put("d")]}), 400, 3, "etcdserver: duplicate key given in txn request")
        refused(txn({"success": [put(f"k{i}") for i in range(129)]}), 400, 3, "etcdserver: too many operations in txn request")
        expect(txn({"success": [put(f"k{i}") for i in range(128)]}), 200)
        missing = client.call("/v3/kv/range", {"key": b64("d")}).json
        check("kvs" not in missing, "a refused transaction left something behind")
        expect(txn({}), 200)


def scenario_metrics_count(context):
    """After requests of each kind every metric that an alert or a dashboard reads counts them: none stays 0 for ever."""
    with Cluster(context, environment=DEFAULTS) as cluster:
        cluster.start()
        leader = next(m for m in cluster.members if metric(m, "etcd_server_is_leader") == 1)
        before = metric(leader, "etcd_mvcc_put_total")
        client = leader.client()
        for i in range(5):
            expect(client.call("/v3/kv/put", {"key": b64(f"count/{i}"), "value": b64("12345678")}), 200)
        expect(client.call("/v3/kv/range", {"key": b64("count/1")}), 200)
        expect(client.call("/v3/kv/txn", {"success": [{"requestPut": {"key": b64("count/t"), "value": b64("1")}}]}), 200)
        expect(client.call("/v3/kv/deleterange", {"key": b64("count/"), "range_end": b64("count0")}), 200)
        check(metric(leader, "etcd_mvcc_put_total") == before + 6, f"puts: {before} and {metric(leader, 'etcd_mvcc_put_total')}")
        wait_for("a ping of each link", lambda: metric(leader, "etcd_network_peer_round_trip_time_seconds_count"), 10)
        for name in ("etcd_mvcc_delete_total", "etcd_mvcc_range_total", "etcd_mvcc_txn_total", "etcd_debugging_mvcc_total_put_size_in_bytes",
                     "etcd_server_quota_backend_bytes", "etcd_network_client_grpc_sent_bytes_total",
                     "etcd_network_client_grpc_received_bytes_total", "etcd_network_peer_sent_bytes_total",
                     "etcd_network_peer_received_bytes_total", "etcd_disk_backend_commit_duration_seconds_count",
                     "etcd_disk_wal_fsync_duration_seconds_count", "whitewater_log_write_duration_seconds_count",
                     "whitewater_apply_duration_seconds_count", "whitewater_log_batch_entries_count", "whitewater_connections",
                     "whitewater_connections_opened_total"):
            check((metric(leader, name) or 0) > 0, f"{name} is {metric(leader, name)} after requests of each kind")
        client.close()


def scenario_operational_endpoints(context):
    """/version, /health, /livez, /readyz, /metrics, the member list, the status and the member table."""
    with Cluster(context, environment=DEFAULTS) as cluster:
        cluster.start()
        for member in cluster.members:
            version = expect(member.get("/version"), 200).json
            check(all(part.isdigit() for part in version["etcdserver"].split(".")), f"{version}")
            expect(member.get("/health"), 200, {"health": "true", "reason": ""})
            check(member.get("/livez").body == b"ok\n", "livez")
            expect(member.get("/readyz?verbose"), 200, part="[+]")
            metrics = member.get("/metrics").body.decode()
            for name in ("etcd_server_has_leader 1", "process_resident_memory_bytes", "etcd_server_proposals_committed_total"):
                check(name in metrics, f"/metrics lacks {name}")
            check(all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in metrics.splitlines() if line), "a broken metrics line")
            wait_for(f"{member.name} hears the others", lambda m=member: all(row["healthy"] for row in m.table()), 20)
            table = member.table()
            check(len(table) == 3 and [row["role"] for row in table].count("leader") == 1 and all(row["healthy"] for row in table), f"{table}")
            listed = member.call("/v3/cluster/member/list", {"linearizable": True}).json["members"]
            check(sorted(m["name"] for m in listed) == [m.name for m in cluster.members], f"{listed}")
            status = member.status()
            check(status["leader"] != "0" and int(status["raftIndex"]) > 0, f"{status}")
        cluster.check_one_cluster()


def scenario_any_member_serves_any_request(context):
    """Writes and reads through followers only, then with one member down."""
    with Cluster(context, environment=DEFAULTS) as cluster:
        cluster.start()
        leader = cluster.leader()
        followers = [member for member in cluster.members if member is not leader]
        for i in range(50):
            cluster.put(f"f/{i}", str(i), via=followers[i % 2])
            check(cluster.get(f"f/{i}", via=followers[1 - i % 2]) == str(i), f"read {i} through the other follower")
        followers[0].kill()
        cluster.put("after", "1", via=followers[1])
        check(cluster.get("after", via=leader) == "1", "with one member down")
        # Without a majority a linearizable request is refused in words; a serializable read still works.
        leader.kill()
        reply = followers[1].call("/v3/kv/range", {"key": b64("after"), "serializable": True})
        check(unb64(reply.json["kvs"][0]["value"]) == "1", f"serializable read without a leader: {reply}")
        reply = followers[1].call("/v3/kv/put", {"key": b64("x"), "value": b64("x")}, timeout=15)
        check(reply.status in (503, 504) and "etcdserver: " in json.dumps(reply.json), f"a write without a majority: {reply}")
        check(followers[1].get("/livez").status == 200, "liveness must not depend on a quorum")
        check(followers[1].get("/health").status == 503, "health without a leader")
