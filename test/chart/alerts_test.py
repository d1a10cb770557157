"""Every alert fires where it should and not in a healthy cluster (promtool), and has a runbook."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import helm
import yaml
from sources_test import rules

RUNBOOKS = helm.ROOT / "docs" / "runbooks"
HERE = pathlib.Path(__file__).resolve().parent
PODS = [f"ww-whitewater-{i}" for i in range(3)]
MINUTES = 130


def series(name, pod, labels, values):
    both = {"namespace": helm.NAMESPACE, "pod": pod, **labels}
    inside = ",".join(f"{key}={json.dumps(value)}" for key, value in both.items())
    return {"series": f"{name}{{{inside}}}", "values": values}


def buckets(name, pod, labels, seconds):
    """A histogram in which every value took `seconds`: 60 a minute."""
    return [series(f"{name}_bucket", pod, {**labels, "le": bound},
                   f"0+60x{MINUTES}" if bound == "+Inf" or float(bound) >= seconds else f"0x{MINUTES}")
            for bound in ("0.001", "0.064", "0.128", "0.256", "0.512", "1.024", "2.048", "+Inf")]


def cluster(changes):
    """Three members; `changes` are values of (metric, pod or None for all)."""
    healthy = {"up": "1", "etcd_server_has_leader": "1", "etcd_server_is_leader": "0", "etcd_server_is_learner": "0",
               "etcd_server_leader_changes_seen_total": "1", "etcd_server_proposals_committed_total": "100000+600",
               "etcd_server_proposals_applied_total": "100000+600", "etcd_server_proposals_failed_total": "2",
               "etcd_server_proposals_pending": "5", "whitewater_requests_refused_total": "0", "whitewater_connections_refused_total": "0",
               "whitewater_disk_stalls_total": "0", "whitewater_event_loop_stalls_total": "0", "whitewater_snapshots_failed_total": "0",
               "whitewater_log_segments_used": "3", "whitewater_log_segments_limit": "256", "process_open_fds": "80",
               "process_max_fds": "1024", "whitewater_discovery_stale_seconds": "5", "whitewater_data_volatile": "0",
               "process_start_time_seconds": "1700000000"}
    all_series = []
    for pod in PODS:
        of = {**healthy, "etcd_server_is_leader": "1" if pod == PODS[0] else "0"}
        of.update({name: value for (name, which), value in changes.items() if which in (None, pod) and name in healthy})
        for name, value in of.items():
            if value is None:
                continue
            # "5" stays, "0+6" grows by 6 a minute, "1 0 1" is as written.
            text = value if " " in value else f"{value}x{MINUTES}" if "+" in value else f"{value}+0x{MINUTES}"
            all_series.append(series(name, pod, {}, text))
        for name, labels, normal in (("etcd_disk_wal_fsync_duration_seconds", {}, 0.001), ("etcd_disk_backend_commit_duration_seconds", {}, 0.001),
                                     ("etcd_network_peer_round_trip_time_seconds", {"To": "8f3a00c1d2e4b596"}, 0.001)):
            all_series += buckets(name, pod, labels, changes.get((name, pod), normal))
        version = changes.get(("version", pod), "0.1.0")
        all_series.append(series("whitewater_build_info", pod, {"version": version}, f"1+0x{MINUTES}"))
    return all_series


A, B, C = PODS
FIRING = {  # alert: the changes, and when it fires; not a minute earlier where it waits (`for`)
    "WhitewaterMemberDown": ({("up", C): "0"}, 3),
    "WhitewaterMembersMissing": ({("up", C): None}, 10),
    "WhitewaterInsufficientMembers": ({("up", B): "0", ("up", C): "0"}, 1),
    "WhitewaterNoLeader": ({("etcd_server_has_leader", None): "0"}, 1),
    "WhitewaterMemberWithoutLeader": ({("etcd_server_has_leader", B): "0"}, 3),
    "WhitewaterSeveralLeaders": ({("etcd_server_is_leader", B): "1"}, 2),
    "WhitewaterManyLeaderChanges": ({("etcd_server_leader_changes_seen_total", None): "0+1"}, 20),
    "WhitewaterLearnersWithoutVote": ({("etcd_server_is_learner", B): "1", ("etcd_server_is_learner", C): "1"}, 15),
    "WhitewaterMemberBehind": ({("etcd_server_proposals_applied_total", C): "90000+600"}, 10),
    "WhitewaterFailedProposals": ({("etcd_server_proposals_failed_total", A): "0+2"}, 20),
    "WhitewaterPendingProposals": ({("etcd_server_proposals_pending", A): "3000"}, 5),
    "WhitewaterRequestsRefused": ({("whitewater_requests_refused_total", A): "0+60"}, 10),
    "WhitewaterConnectionsRefused": ({("whitewater_connections_refused_total", A): "0+1"}, 10),
    "WhitewaterSlowLogWrites": ({("etcd_disk_wal_fsync_duration_seconds", C): 1.0}, 15),
    "WhitewaterVerySlowLogWrites": ({("etcd_disk_wal_fsync_duration_seconds", C): 2.0}, 15),
    "WhitewaterSlowStoreCommits": ({("etcd_disk_backend_commit_duration_seconds", C): 0.5}, 15),
    "WhitewaterDiskStalls": ({("whitewater_disk_stalls_total", C): "0 0 1 1 1 1"}, 4),
    "WhitewaterEventLoopStalls": ({("whitewater_event_loop_stalls_total", C): "0+1"}, 15),
    "WhitewaterSlowPeers": ({("etcd_network_peer_round_trip_time_seconds", C): 0.25}, 15),
    "WhitewaterSnapshotsFail": ({("whitewater_snapshots_failed_total", A): "0+1"}, 30),
    "WhitewaterLogFillsUp": ({("whitewater_log_segments_used", B): "220"}, 5),
    "WhitewaterLogFull": ({("whitewater_log_segments_used", B): "250"}, 1),
    "WhitewaterFileDescriptorsRunOut": ({("process_open_fds", B): "900"}, 5),
    "WhitewaterDiscoveryStale": ({("whitewater_discovery_stale_seconds", B): "700"}, 5),
    "WhitewaterDataVolatile": ({("whitewater_data_volatile", B): "1"}, 5),
    "WhitewaterRestarts": ({("process_start_time_seconds", B): "1 1 2 2 3 3 4 4 4 4"}, 9),
    "WhitewaterVersionsDiffer": ({("version", B): "0.2.0"}, 60),
}


def firing_at(minute, selector, count):
    samples = [] if count == 0 else [{"labels": "{}", "value": count}]
    return {"expr": f'count(ALERTS{{{selector}alertstate="firing"}})', "eval_time": f"{minute}m", "exp_samples": samples}


def promtool_tests(group):
    waits = {rule["alert"]: rule.get("for") for rule in group["rules"]}
    healthy = {"interval": "1m", "name": "healthy", "input_series": cluster({}),
               "promql_expr_test": [firing_at(minute, "", 0) for minute in (1, 30, 120)]}
    tests = [healthy]
    for alert, (changes, minute) in FIRING.items():
        own = f'alertname="{alert}",'
        checks = [firing_at(minute, own, 1)]
        if alert == "WhitewaterNoLeader" or (waits[alert] and minute == int(waits[alert].rstrip("mh")) * (60 if waits[alert].endswith("h") else 1)):
            checks.append(firing_at(minute - 1, own, 0))
        tests.append({"interval": "1m", "name": alert, "input_series": cluster(changes), "promql_expr_test": checks})
    # One alert as a person gets it.
    tests[1]["alert_rule_test"] = [{"eval_time": "3m", "alertname": "WhitewaterMemberDown", "exp_alerts": [{
        "exp_labels": {"namespace": helm.NAMESPACE, "pod": C, "release": helm.RELEASE, "severity": "warning"},
        "exp_annotations": {"summary": f"Member {C} does not answer"}}]}]
    return {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}


class Alerts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spec = rules()
        cls.names = [rule["alert"] for rule in cls.spec["groups"][0]["rules"]]

    def test_promtool(self):
        self.assertIsNotNone(shutil.which("promtool"), "promtool is missing: ./dev install (Debian package prometheus)")
        self.assertEqual(set(self.names), set(FIRING), "an alert without a case here")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "rules.yaml").write_text(yaml.safe_dump(self.spec))
            (path / "test.yaml").write_text(yaml.safe_dump(promtool_tests(self.spec["groups"][0])))
            done = subprocess.run(["promtool", "test", "rules", "test.yaml"], cwd=path, capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_runbooks(self):
        self.assertGreaterEqual(len(self.names), 15)
        self.assertEqual(set(self.names), {path.stem for path in RUNBOOKS.glob("Whitewater*.md")})
        for name in self.names:
            text = (RUNBOOKS / f"{name}.md").read_text()
            for heading in ("# " + name, "## What it means", "## What to look at", "## What to do"):
                self.assertIn(heading + "\n", text)
        index = (RUNBOOKS / "README.md").read_text()
        for name in self.names:
            self.assertIn(f"({name}.md)", index)

    def test_alerts_can_be_left_out(self):
        text = helm.template("--show-only", "templates/prometheusrule.yaml", "--set", "metrics.prometheusRule.enabled=true",
                             "--set", "metrics.prometheusRule.disabled={WhitewaterDataVolatile}")
        self.assertNotIn("WhitewaterDataVolatile", text)
