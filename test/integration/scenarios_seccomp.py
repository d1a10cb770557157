"""Members under the profiles of docker/seccomp, without a container: on io_uring where it is allowed, else on epoll with the reason."""
import ctypes
import json
import platform
import sys

import libseccomp
import under_profile
from harness import LIBC, ROOT, Cluster, Process, Skip, check, last_error
from scenarios_doctor import check_found, doctor

ALLOWED = ROOT / "docker/seccomp/io-uring.json"
DENIED = ROOT / "docker/seccomp/no-io-uring.json"
EPERM = 1
DENIED_REASON = "refused with EPERM by a seccomp profile"
URING = {"io_uring_setup", "io_uring_enter", "io_uring_register"}
IO_URING_SETUP = 425  # on every architecture
# System calls that a container without capabilities may not make, each with arguments that change nothing where it may.
REFUSED = {"unshare": {"x86_64": 272, "aarch64": 97}, "keyctl": {"x86_64": 250, "aarch64": 219}, "setns": {"x86_64": 308, "aarch64": 268}}
# Prints the error of each call, 0 where there is none. keyctl's arguments ask for a keyring that there may be none of.
ASK = "import ctypes, sys; l = ctypes.CDLL(None, use_errno=True)\n" \
      "for n in sys.argv[1:]: print(ctypes.get_errno() if l.syscall(int(n), 0, -2, 0, 0, 0) < 0 else 0)"


def require_seccomp():
    if libseccomp.library is None:
        raise Skip(under_profile.MISSING)


def require_io_uring():
    parameters = ctypes.create_string_buffer(120)
    if LIBC.syscall(IO_URING_SETUP, 1, parameters) < 0:
        raise Skip(f"this machine allows no io_uring (error {last_error()})")


def errors_of_calls(context, profile, numbers):
    launcher = [] if profile is None else [str(ROOT / "test/integration/under_profile.py"), str(profile)]
    asked = Process([*launcher, sys.executable, "-c", ASK, *map(str, numbers)], context.folder / "calls.log", {})
    check(asked.child.wait(20) == 0, f"{asked.lines()}")
    answers = [int(line) for line in asked.lines()[-len(numbers):]]
    return dict(zip(REFUSED, answers))


def check_reactor(context, profile, reactor, reason, severity):
    """One member under the profile, and what it says of its reactor in the table, the report, the metric and the log."""
    with Cluster(context.under(profile), count=1, environment={"WHITEWATER_BOOTSTRAP_SINGLE": "true"}) as cluster:
        cluster.start()
        member = cluster.members[0]
        row = member.table()[0]
        check(row["reactor"] == reactor, f"{row}")
        check((row["log_strategy"] == "uring") <= (reactor == "io_uring"), f"a ring although io_uring is denied: {row}")
        report, = doctor(cluster, member, expect=0)
        check_found(report, severity, "reactor", reason)
        lines = [line for line in member.get("/metrics").body.decode().splitlines() if line.startswith("whitewater_io_backend{")]
        check(len(lines) == 1 and f'backend="{reactor}"' in lines[0] and reason in lines[0], f"{lines}")
        started = [json.loads(line) for line in member.process.lines() if '"reactor_reason"' in line]
        check(started and started[0]["reactor"] == reactor and reason in started[0]["reactor_reason"], f"{started}")
        cluster.put("k", "v")
        check(cluster.get("k") == "v", "a read")
        check(member.stop() == 0, "SIGTERM")


def scenario_profiles_differ_in_io_uring(context):
    """The two profiles are one list, but for one rule of three calls."""
    allowed, denied = (json.loads(path.read_text()) for path in (ALLOWED, DENIED))
    more = [rule for rule in allowed["syscalls"] if rule not in denied["syscalls"]]
    check(len(more) == 1 and set(more[0]) == {"names", "action"} and set(more[0]["names"]) == URING, f"{more}")
    allowed["syscalls"].remove(more[0])
    check(allowed == denied, "they differ in something else")
    check(not any(URING & set(rule["names"]) for rule in denied["syscalls"]), "the default names calls of io_uring")


def scenario_io_uring_allowed(context):
    """Under io-uring.json a member runs on io_uring."""
    require_seccomp()
    require_io_uring()
    check_reactor(context, ALLOWED, "io_uring", "the start-up probe succeeded", "ok")


def scenario_io_uring_denied(context):
    """Under no-io-uring.json, as in a pod of a recent runtime, a member runs on epoll and says why."""
    require_seccomp()
    require_io_uring()
    check_reactor(context, DENIED, "epoll", DENIED_REASON, "warning")


def scenario_io_uring_denied_in_part(context):
    """A profile that lets only two of the three calls through: epoll and threads, never a member that ends at its first write."""
    require_seccomp()
    require_io_uring()
    for call in sorted(URING):
        profile = json.loads(ALLOWED.read_text())
        for rule in profile["syscalls"]:
            rule["names"] = [name for name in rule["names"] if name != call]
        path = context.folder / f"without-{call}.json"
        path.write_text(json.dumps(profile))
        check_reactor(context, path, "epoll", DENIED_REASON, "warning")


def scenario_everything_else_stays_refused(context):
    """io-uring.json lets no call through that the default list refuses."""
    require_seccomp()
    machine = platform.machine()
    if machine not in REFUSED["unshare"]:
        raise Skip(f"the numbers of the calls on {machine} are not known here")
    numbers = [by_machine[machine] for by_machine in REFUSED.values()]
    before = errors_of_calls(context, None, numbers)
    if EPERM in before.values():
        raise Skip(f"this machine refuses some by itself: {before}")
    for profile in (ALLOWED, DENIED):
        after = errors_of_calls(context, profile, numbers)
        check(set(after.values()) == {EPERM}, f"{profile.name}: {after}, without it {before}")
