"""What pods say, asked through kubectl."""
import json

from kube import Failure, check


def members_of(kube, pod):
    """The table of `whitewater members` in that pod."""
    rows = json.loads(kube.exec(pod, "whitewater", "members", "--output", "json").stdout)
    rows = rows.get("members", rows) if isinstance(rows, dict) else rows
    check(rows, f"{pod} lists no members")
    return rows


def leader_of(trial):
    """The name of the leader's pod. A member that is known by an address is looked up among the pods."""
    leader = trial.sample()["leader"]
    for name, pod in trial.kube.pods().items():
        if leader in (name, pod["status"].get("podIP")):
            return name
    raise Failure(f"the leader {leader!r} is none of the pods {sorted(trial.kube.pods())}")


def uid_of(kube, name):
    pod = kube.pods().get(name)
    return pod["metadata"]["uid"] if pod else None
