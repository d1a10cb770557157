"""The pods of the headless service as the load sees them: their addresses now, and what each says about the cluster, sampled again
and again. Kept is a sample whenever it differs from the one before: the membership over time."""
import http.client
import random
import socket
import threading
import time

import harness

ANSWER_SECONDS = 0.7  # a pod that is silent for longer is called silent in the sample
SAMPLES_MAX = 5000


class Pod(harness.Member):
    """As a member of the integration tests, but found by address alone, and run by somebody else."""

    def __init__(self, address):
        self.name = self.address = address

    def quick(self, path, message):
        try:
            reply = self.call(path, message, timeout=ANSWER_SECONDS)
            return reply.json if reply.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None


class Pods:
    """`members` is what harness-like code iterates over; as a sequence it is the addresses, and may change between two accesses."""

    def __init__(self, service, interval_seconds=0.25):
        self.service, self.interval_seconds = service, interval_seconds
        self.addresses, self.samples, self.latest = [], [], None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __len__(self):
        return max(1, len(self.addresses))

    def __getitem__(self, index):
        addresses = self.addresses
        return addresses[index % len(addresses)] if addresses else "127.0.0.1"  # refused at once: nobody is there

    @property
    def members(self):
        return [Pod(address) for address in self.addresses] or [Pod("127.0.0.1")]

    def stop(self):
        self.stopping.set()
        self.thread.join(30)

    def _run(self):
        while not self.stopping.wait(self.interval_seconds):
            try:
                found = socket.getaddrinfo(self.service + ".", harness.RAFT_PORT, socket.AF_INET, socket.SOCK_STREAM)
                self.addresses = sorted({entry[4][0] for entry in found})
            except socket.gaierror as error:
                if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
                    self.addresses = []  # the name has no addresses; any other failure says nothing about the pods
            sample = self._sample()
            if self.latest is None or sample != self.latest[1]:
                self.samples = self.samples[-SAMPLES_MAX:] + [(time.monotonic(), sample)]
            self.latest = (time.monotonic(), sample)

    def _sample(self):
        answers = {address: Pod(address).quick("/v3/maintenance/status", {}) for address in self.addresses}
        inside = {address: answer for address, answer in answers.items()
                  if answer and answer.get("header", {}).get("cluster_id", "0") != "0"}
        # "outside": belong to no cluster; "voting": are voters themselves, where "voters" also lists those that are away.
        sample = {"pods": len(answers), "silent": sorted(address for address, answer in answers.items() if answer is None),
                  "clusters": sorted({answer["header"]["cluster_id"] for answer in inside.values()}),
                  "outside": len([a for a in answers.values() if a]) - len(inside), "voters": [], "learners": [], "voting": 0, "leader": ""}
        leaders = [answer.get("leader", "0") for answer in inside.values() if answer.get("leader", "0") != "0"]
        addresses = list(inside)
        random.shuffle(addresses)  # so that no single pod's view is the only one that is seen
        for address in addresses:
            listed = Pod(address).quick("/v3/cluster/member/list", {})
            if not listed or not listed.get("members"):
                continue  # silent, or waits to be added
            names = {member["ID"]: name_of(member) for member in listed["members"]}
            sample["voters"] = sorted(names[m["ID"]] for m in listed["members"] if not m.get("isLearner"))
            sample["learners"] = sorted(names[m["ID"]] for m in listed["members"] if m.get("isLearner"))
            voting = {m["ID"] for m in listed["members"] if not m.get("isLearner")}
            sample["voting"] = sum(answer["header"].get("member_id") in voting for answer in inside.values())
            if leaders:
                sample["leader"] = names.get(max(set(leaders), key=leaders.count), "?")
            break
        return sample

    def formed(self, voters, limit_seconds):
        """Waits until all pods are of one cluster with so many voters and one leader and a write is done. The times, or None."""
        deadline = time.monotonic() + limit_seconds
        formed_at = None
        while time.monotonic() < deadline:
            when, sample = self.latest or (0, None)
            if sample and sample["pods"] >= voters and len(sample["clusters"]) == 1 and \
                    len(sample["voters"]) == sample["voting"] == voters and sample["leader"] and not sample["outside"] and not sample["silent"]:
                formed_at = formed_at or when
                reply = Pod(self[0]).quick("/v3/kv/put", {"key": harness.b64("first"), "value": harness.b64("write")})
                if reply:
                    return {"formed": formed_at, "written": time.monotonic(), "sample": sample}
            time.sleep(0.1)
        return None


def name_of(member):
    """The pod's name where the member is known by a name, else its address."""
    text = member.get("name") or (member.get("peerURLs") or ["?"])[0].split("//")[-1]
    return text.split(":")[0] if text.replace(".", "").replace(":", "").isdigit() else text.split(".")[0].split(":")[0]
