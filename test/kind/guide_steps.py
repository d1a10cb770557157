"""The guide's own section "Testing", command by command."""
import json

import images
from kube import Failure, check, say

SRV = "_raft._tcp.whitewater-headless.default.svc.cluster.local"


def guide(trial):
    """nslookup in a pod, kubectl auth can-i, the init container's log and the file that it wrote."""
    check_srv(trial)
    if trial.option.has_account:
        answer = trial.kube.kubectl("auth", "can-i", "list", "pods", "--as=system:serviceaccount:default:whitewater").stdout.strip()
        check(answer == "yes", f"kubectl auth can-i list pods: {answer!r}")
        say("kubectl auth can-i list pods --as=system:serviceaccount:default:whitewater: yes")
    if trial.option.init_image:
        check_init_container(trial)


def check_srv(trial):
    text = trial.kube.exec("whitewater-0", "nslookup", "-type=SRV", SRV).stdout
    targets = sorted(line.split()[-1].rstrip(".") for line in text.splitlines() if line.startswith(SRV))
    wanted = sorted(f"{name}.whitewater-headless.default.svc.cluster.local" for name in trial.kube.pods())
    check(targets == wanted, f"nslookup in whitewater-0 names {targets}, expected {wanted}:\n{text}")
    say(f"nslookup -type=SRV in whitewater-0 names {len(targets)} pods")


def check_init_container(trial):
    """The file is what the script wrote at that pod's start, good or not; the member must have lived with it."""
    shown = "\n".join(trial.kube.logs("whitewater-0", "discover-peers"))
    for pod in sorted(trial.kube.pods()):
        content = trial.kube.exec(pod, "cat", "/config/peers.json").stdout
        say(f"{pod}'s file: {' '.join(content.split())}")
        if pod == "whitewater-0":
            check(content.strip() and content.strip() in shown, f"the init container's log is not the file: {shown!r}, {content!r}")
        last = content
    try:
        peers = json.loads(last)["peers"]
    except ValueError as error:
        raise Failure(f"the last pod's file is no JSON ({error}): {last!r}") from None
    check(len(peers) >= 2, f"the last pod's file names {peers}")
    if trial.option.init_image == images.BUSYBOX:
        check("Discovering peers via DNS..." in shown, f"the init container's log: {shown!r}")
