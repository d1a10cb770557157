"""Who votes over time: the members of a system as its pods tell, asked again and again in a thread."""
import threading

from kube import Failure, say
from session import now_ms

INTERVAL_SECONDS = 0.3
SAMPLES_MAX = 5000


class Watch:
    """A context; then `lines` says what changed when, and `without_quorum` in how many samples too few voters answered."""

    def __init__(self, system):
        self.system, self.samples, self.without_quorum = system, [], 0
        self.began, self.stopping = now_ms(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(30)

    def _run(self):
        while not self.stopping.wait(INTERVAL_SECONDS) and len(self.samples) < SAMPLES_MAX:
            try:
                sample = take_sample(self.system)
                if lacks_quorum(sample):
                    sample = take_sample(self.system)  # one lost answer is not a lost quorum
            except Failure:
                continue
            self.without_quorum += lacks_quorum(sample)
            if not self.samples or self.samples[-1][1] != sample:
                self.samples.append((now_ms(), sample))

    def lines(self):
        return [f"{(when - self.began) / 1000:.1f} s: {describe(sample)}" for when, sample in self.samples]

    def print(self):
        for line in self.lines():
            say(f"        {line}")


def take_sample(system):
    statuses = system.statuses()
    voters, learners = system.listed()
    in_step = [name for name, status in statuses.items() if status.get("leader", "0") != "0"]
    return {"pods": len(system.pods()), "voters": voters, "learners": learners, "answering": sorted(set(voters) & set(in_step))}


def lacks_quorum(sample):
    """Of the voters that are listed, no majority answers and knows a leader."""
    return len(sample["answering"]) < len(sample["voters"]) // 2 + 1


def describe(sample):
    text = f"{sample['pods']} pods, voters {ordinals(sample['voters'])}"
    if sample["answering"] != sample["voters"]:
        text += f" ({len(sample['answering'])} of them answer)"
    return text + (f", learners {ordinals(sample['learners'])}" if sample["learners"] else "")


def ordinals(names):
    return " ".join(name.rpartition("-")[2] for name in names) or "-"
