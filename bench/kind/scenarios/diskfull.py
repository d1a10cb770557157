"""Every member's volume runs full: writes are refused, reads served, and writes go on when there is space again, without a restart. The volumes
are memory file systems of a stated size: those of kind have none."""
import time

from bars import Bar
from bench import Events
from job import Load
from kube import Failure, say, wait_for
from scenarios import Scenario
from session import now_ms
from systems import Whitewater, installed

RELEASE, VOLUME = "full", "192Mi"
DATA = "/var/lib/whitewater"
FILL_SECONDS, VALUE_BYTES = 15, 4096
REFUSED_SECONDS, RECOVERED_SECONDS = 60, 60
VALUES = {"persistence.enabled": False, "config": {"log_segment_bytes": "4MiB"},
          "patches.statefulSet": {"spec": {"template": {"spec": {"volumes": [
              {"name": "settings", "configMap": {"name": f"{RELEASE}-whitewater"}},
              {"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": VOLUME}}]}}}}}


def diskfull(bench, sheet):
    system = installed(Whitewater(bench.session, RELEASE, VALUES))
    try:
        fill_and_free(bench.session, system, sheet)
    finally:
        time.sleep(5)  # a container that ends now has not recovered
        sheet.value("restarts", system.restarts())
    system.remove()


def fill_and_free(session, system, sheet):
    pods = sorted(system.pods())
    for name in pods:
        session.kube.exec(name, "sh", "-c", f"head -c 1000000000 /dev/zero >{DATA}/filler", check=False)
    say(f"    the volumes are full; puts of {VALUE_BYTES} bytes until they are refused")
    events = Events()
    events.mark("full")
    parts = Load(session, system.endpoints, 16, FILL_SECONDS, value_bytes=VALUE_BYTES).result()
    sheet.load("volumes full", parts, events.list)
    sheet.figure("puts into full volumes", f"{parts['put']['completed']} acknowledged, then: {parts['put'].get('first_error', '')[:160] or 'nothing refused'}")
    refusal = wait_for("a write is refused", lambda: refused(session, pods), REFUSED_SECONDS)
    sheet.value("refused", 1)
    sheet.figure("a write then", refusal)
    sheet.value("reads", sum(serves_reads(session, name) for name in pods))
    for name in pods:
        session.kube.exec(name, "rm", f"{DATA}/filler", check=False)
    began = now_ms()
    say("    there is space again")
    wait_for("a write is acknowledged", lambda: any(is_written(session, name) for name in pods), RECOVERED_SECONDS, 0.1)
    sheet.value("recovered_s", (now_ms() - began) / 1000)


def refused(session, pods):
    """An answer that says no to a write; silence is none."""
    for name in pods:
        try:
            status, body = session.api.put(name, "full", "x" * VALUE_BYTES, seconds=9)
        except Failure:
            continue
        if status not in (200, 502, 503):
            return f"{status} {body[:160].decode(errors='replace')}"
    return None


def serves_reads(session, name):
    try:
        return session.api.get(name, "full")[0] == 200
    except Failure:
        return False


def is_written(session, name):
    try:
        return session.api.put(name, "full", "again")[0] == 200
    except Failure:
        return False


SCENARIOS = [Scenario("diskfull", "Volumes full", diskfull, 400, (
    Bar("refused", "a write is refused with an answer (1: yes)", "exactly", 1),
    Bar("reads", "members that serve reads meanwhile", "exactly", 3),
    Bar("recovered_s", "first write after there is space again", "at most", 30, "s"),
    Bar("restarts", "restarts of containers", "exactly", 0)))]
