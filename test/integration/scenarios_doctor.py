"""`whitewater doctor`: the cause and the next step, from members that are well, that wait, that lost the others, and that are not there."""
import json
import pathlib
import shutil
import subprocess
import tempfile

from harness import RAFT_PORT, Cluster, Skip, check, metric, wait_for
from scenarios_clock import libfaketime

SHARED_MEMORY = pathlib.Path("/dev/shm")


def filesystem_of(path):
    return subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True, text=True, check=True).stdout.strip()


def doctor(cluster, *members, expect, output="json", environment=None, flags=()):
    """What it printed; exit codes are its contract, so each call states one."""
    endpoints = ",".join(f"{member.address}:{RAFT_PORT}" for member in members)
    command = [str(cluster.binary), "doctor", "--endpoints", endpoints, "--output", output, *flags]
    done = subprocess.run(command, env=members[0].full_environment() if environment is None else environment, capture_output=True, text=True,
                          timeout=60)
    check(done.returncode == expect, f"doctor: exit {done.returncode}, not {expect}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout) if output == "json" else done.stdout


def findings(report, severity, about):
    return [one for one in report["findings"] if one["severity"] == severity and one["about"] == about]


def check_found(report, severity, about, part):
    texts = [one["text"] for one in findings(report, severity, about)]
    check(any(part in text for text in texts), f"no {severity} about {about} says {part!r}: {json.dumps(report, indent=1)}")


def scenario_doctor_of_a_healthy_member(context):
    """No problem, exit code 0; then a member that is away, records that are missing and a lost majority."""
    with Cluster(context) as cluster:
        cluster.start()
        wait_for("nothing is missing any more", lambda: not findings(doctor(cluster, cluster.members[0], expect=0)[0], "warning", "discovery"), 30)
        for member, report in zip(cluster.members, doctor(cluster, *cluster.members, expect=0)):
            check(report["name"] == member.name and report["ready"], report)
            check_found(report, "ok", "members", "a cluster of 3")
            check_found(report, "ok", "discovery", "names 3 members: dns (SERVICE_NAME is set), the SRV record _raft._tcp.")
            is_volatile = filesystem_of(member.data_dir) in ("tmpfs", "overlayfs")
            check(bool([one for one in findings(report, "warning", "disk") if "no volume" in one["text"]]) == is_volatile, report)
            check(metric(member, "whitewater_data_volatile") == is_volatile, "the metric and the finding differ")
            check(metric(member, "whitewater_bootstrap_expect_inferred") == 0, "the count was stated")
            check(metric(member, "whitewater_discovery_stale_seconds") < 120, "the records are old although DNS answers")
            check(metric(member, "whitewater_io_backend") == 1, "no word of the reactor")
        for report in doctor(cluster, *cluster.members, expect=0, flags=["--members", "3"]):
            check_found(report, "ok", "members", "3 members as asked for, whitewater-")
        for count in ("2", "4"):
            report, = doctor(cluster, cluster.members[1], expect=1, flags=["--members", count])
            check_found(report, "problem", "members", f"3 members instead of {count}: whitewater-1, whitewater-")
        text = doctor(cluster, cluster.members[0], expect=0, output="simple")
        check(text.startswith("whitewater-0 (") and "): ready\n" in text, text)

        cluster.members[2].kill()
        report = wait_for("the member that is away", lambda: next(
            (one for one in doctor(cluster, cluster.members[0], expect=0) if findings(one, "warning", "members")), None), 30)
        check_found(report, "warning", "members", "whitewater-2 (")
        cluster.members[1].kill()
        wait_for("no leader any more", lambda: not cluster.members[0].is_ready(), 30)
        report, = doctor(cluster, cluster.members[0], expect=1)
        check(not report["ready"] and report["findings"][0]["severity"] == "problem", report)
        check_found(report, "problem", "members", "no leader")
        # Nobody answers at one endpoint: that counts more than the problem at the other.
        report = doctor(cluster, cluster.members[0], cluster.members[1], expect=3)[1]
        check_found(report, "problem", "process", "no member answers")
        check_found(report, "ok", "discovery", "would use dns (SERVICE_NAME is set)")


def scenario_doctor_of_a_member_that_finds_nobody(context):
    """No record, too few records, a peer with another count: the cause is told, each with a next step; then it is well."""
    with Cluster(context) as cluster:
        first, second = cluster.members[:2]
        cluster.dns.serve([])
        first.start()
        wait_for("an answer", lambda: first.get("/livez"), 20)
        report = wait_for("discovery's own word", lambda: next(
            (one for one in doctor(cluster, first, expect=1) if findings(one, "problem", "discovery")), None), 20)
        check_found(report, "problem", "bootstrap", "waiting for peers")
        check_found(report, "problem", "discovery", "no answer for")
        for one in report["findings"]:
            check(one["severity"] == "ok" or one["next_step"], f"no next step: {one}")
        text = doctor(cluster, first, expect=1, output="simple")
        check("): not ready\n" in text and "next: `whitewater discover`" in text, text)
        check(wait_for("an age of discovery", lambda: metric(first, "whitewater_discovery_stale_seconds") > 0.5, 20), "")

        second.environment["WHITEWATER_BOOTSTRAP_EXPECT"] = "5"
        cluster.dns.serve([0, 1])
        second.start()
        wait_for("the other count", lambda: any("--bootstrap-token" in one["next_step"] for one in findings(
            doctor(cluster, first, expect=1)[0], "problem", "bootstrap")), 30)
        second.kill()
        del second.environment["WHITEWATER_BOOTSTRAP_EXPECT"]
        cluster.dns.serve([0, 1, 2])
        for member in cluster.members[1:]:
            member.start()
        cluster.wait_ready()
        doctor(cluster, *cluster.members, expect=0)


def scenario_doctor_without_a_member(context):
    """Nobody answers: exit code 3, and what the environment says, also where that is wrong."""
    with Cluster(context) as cluster:
        member = cluster.members[0]
        report, = doctor(cluster, member, expect=3)
        check_found(report, "problem", "process", "no member answers")
        check_found(report, "ok", "discovery", "would use dns (SERVICE_NAME is set), the SRV record")
        wrong = {**member.full_environment(), "WHITEWATER_HEARTBEAT_INTERVAL_MS": "often"}
        report, = doctor(cluster, member, expect=3, environment=wrong)
        check_found(report, "problem", "options", "often")
        check(not findings(report, "ok", "discovery"), "options that cannot be used are explained as if they could")
        done = subprocess.run([str(cluster.binary), "doctor", "--endpoints", "nowhere:port"], capture_output=True, timeout=20)
        check(done.returncode == 2, f"a wrong endpoint: exit {done.returncode}")


def scenario_doctor_without_a_volume(context):
    """A data directory that is gone with the machine's memory: told, and in the metric."""
    if not SHARED_MEMORY.is_dir() or filesystem_of(SHARED_MEMORY) != "tmpfs" or shutil.disk_usage(SHARED_MEMORY).free < 512 << 20:
        raise Skip("no tmpfs with 512 MiB at /dev/shm")
    with Cluster(context) as cluster, tempfile.TemporaryDirectory(prefix="whitewater-doctor-", dir=SHARED_MEMORY) as folder:
        cluster.dns.serve([0])
        member = cluster.members[0]
        member.environment["WHITEWATER_DATA_DIR"] = folder + "/data"
        member.start()
        try:
            wait_for("an answer", lambda: member.get("/livez"), 20)
            report, = doctor(cluster, member, expect=1)
            check_found(report, "warning", "disk", "no volume: ")
            check(metric(member, "whitewater_data_volatile") == 1, "not in the metric")
        finally:
            member.kill()


def scenario_doctor_sees_another_clock(context):
    """A member whose wall clock is a day ahead: the others say so, and nobody is less ready for it."""
    library = libfaketime()
    with Cluster(context) as cluster:
        cluster.members[1].environment.update({"LD_PRELOAD": str(library), "FAKETIME": "+1d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        cluster.start()
        reports = doctor(cluster, *cluster.members, expect=0)
        check_found(reports[0], "warning", "clock", "the clock of whitewater-1 is 86")
        check_found(reports[1], "warning", "clock", "behind")
        check(not any("whitewater-2" in one["text"] for one in findings(reports[0], "warning", "clock")), reports[0])
