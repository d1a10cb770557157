"""What scenarios get: the session, how long to measure, both systems (installed when first asked for), and a sheet for what was seen."""
import dataclasses
import random
import time

from kube import Failure, say
from session import now_ms
from systems import Etcd, Whitewater, installed

NOISE_CALM_SECONDS = 2
WHOLE_AGAIN_SECONDS = 45


@dataclasses.dataclass(frozen=True)
class Pace:
    """Rounds, and seconds of one measurement."""
    rounds: int = 3
    speed: int = 4  # closed and open loops
    loss: int = 10  # around the loss of a leader
    away: int = 60  # without an API server


QUICK = Pace(rounds=1, speed=2, loss=8, away=20)


class Sheet:
    """One scenario's values (by the keys of its bars), figures, loads and memberships: all of it is plain data."""

    def __init__(self, name):
        self.data = {"scenario": name, "outcome": "ran", "reason": "", "seconds": 0.0, "values": {}, "figures": [], "loads": [], "memberships": [],
                     "profile": None}

    def value(self, key, number):
        self.data["values"][key] = number

    def figure(self, what, text):
        say(f"    {what}: {text}")
        self.data["figures"].append([what, text])

    def load(self, label, parts, events=()):
        """`events`: (Unix milliseconds, text)."""
        self.data["loads"].append({"label": label, "put": parts["put"], "check": parts.get("check"), "events": [list(event) for event in events]})

    def membership(self, title, lines):
        self.data["memberships"].append([title, lines])


class Bench:
    def __init__(self, session, pace, seed):
        self.session, self.pace, self.rng, self.systems = session, pace, random.Random(seed), {}

    @property
    def whitewater(self):
        return self._system("whitewater", Whitewater)

    @property
    def etcd(self):
        return self._system("etcd", Etcd)

    def _system(self, name, make):
        if name not in self.systems:
            self.systems[name] = installed(make(self.session))
        return self.systems[name]

    def both(self):
        """In an order drawn anew for each round."""
        pair = [self.whitewater, self.etcd]
        self.rng.shuffle(pair)
        return pair

    def recover(self):
        """After a failure: nothing of the scenario is left, and what is not whole is installed anew when it is asked for."""
        session = self.session
        session.kube.kubectl("delete", "jobs", "--all", seconds=90)
        for release in session.releases():
            if release != Whitewater.MAIN:
                say(f"removing the release {release}")
                Whitewater(session, release).remove()
        for name, system in list(self.systems.items()):
            try:
                system.wait_whole(seconds=WHOLE_AGAIN_SECONDS)
            except Failure as problem:
                say(f"{system.name} will be installed anew: {problem}")
                self.systems.pop(name).remove()


class Events:
    """What was done when."""

    def __init__(self):
        self.list = []

    def mark(self, text):
        say(f"    {text}")
        self.list.append((now_ms(), text))
        return self.list[-1][0]


def wait_calm():
    time.sleep(NOISE_CALM_SECONDS)
