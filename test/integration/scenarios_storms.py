"""Bootstrap storms with real processes: whatever order, lateness, half answers, lost disks and twins there are, one cluster comes out.
WHITEWATER_STORMS sets how many storms (6), WHITEWATER_STORM_SEED the first seed (1)."""
import os
import random
import shutil
import time

from harness import FAST, NET, Cluster, Member, check, wait_for

STORMS = int(os.environ.get("WHITEWATER_STORMS", "6"))
FIRST_SEED = int(os.environ.get("WHITEWATER_STORM_SEED", "1"))
QUICK = {"WHITEWATER_STABILIZATION_MS": "1000", "WHITEWATER_REPLACE_AFTER_MS": "1500", "WHITEWATER_BOOTSTRAP_SETTLE_MS": "300",
         "WHITEWATER_BOOTSTRAP_INFER_SETTLE_MS": "1500"}


def founders(member):
    """Who founded, as this member's history has it; a member that came by a snapshot does not know."""
    reply = member.get("/whitewater/membership")
    return {event["id"] for event in reply.json if event["kind"] == "founded"}


class Storm:
    def __init__(self, context, seed):
        self.rng, self.seed, self.story = random.Random(seed), seed, []
        self.count = self.rng.choice((3, 3, 5))
        self.is_inferred = self.rng.random() < 0.5
        self.has_twin = self.rng.random() < 0.3
        environment = {**FAST, **QUICK, **({"WHITEWATER_BOOTSTRAP_EXPECT": None} if self.is_inferred else {})}
        self.cluster = Cluster(context, count=self.count, environment=environment)
        self.tell(f"{self.count} members, {'inferred' if self.is_inferred else 'expected'}")

    def tell(self, what):
        self.story.append(what)

    def pause(self, most):
        time.sleep(self.rng.random() * most)

    def serve_some(self):
        """A half answer, perhaps an empty one."""
        names = [i for i in range(self.count) if self.rng.random() < 0.6]
        self.cluster.dns.serve(names, addresses={i: self.cluster.dns.address_of(i) for i in range(self.count)})
        self.tell(f"DNS names {names}")

    def may_wipe(self):
        """Raft survives the loss of a minority: one disk, and none while a twin may have become a voter that will not come back."""
        return not self.has_twin and "lost its disk" not in " ".join(self.story)

    def is_whole(self):
        """Every place is held by a voter that answers."""
        rows = self.cluster.members[-1].table()
        return len(rows) == self.count and all(row["role"] in ("leader", "follower") for row in rows)

    def wipe(self, member):
        member.kill()
        shutil.rmtree(member.data_dir, ignore_errors=True)
        member.start()
        self.tell(f"{member.name} lost its disk")

    def twin_of(self, original):
        twin = Member(self.cluster, original.ordinal)
        twin.address = f"{NET}.{150 + original.ordinal}"
        twin.data_dir = self.cluster.folder / f"{original.name}-twin"
        twin.log = self.cluster.folder / f"{original.name}-twin.log"
        twin.environment = {"WHITEWATER_ADVERTISE": f"{twin.address}:8090"}
        return twin

    def run(self):
        cluster, rng = self.cluster, self.rng
        self.serve_some()
        order = rng.sample(cluster.members, self.count)
        late = order.pop() if rng.random() < 0.5 else None
        twin = self.twin_of(rng.choice(cluster.members)) if self.has_twin else None
        if twin:
            twin.start()
            self.tell(f"a twin of {twin.name}")
        try:
            for member in order:
                member.start()
                self.tell(f"{member.name} starts")
                self.pause(0.6)
                if rng.random() < 0.3:
                    self.serve_some()
                if rng.random() < 0.15 and self.may_wipe():
                    self.wipe(member)
            if rng.random() < 0.3 and cluster.members[0] is not late and self.may_wipe():
                self.wipe(cluster.members[0])
            if late:
                self.pause(3)
                late.start()
                self.tell(f"{late.name} starts late")
            cluster.dns.serve(range(self.count))
            self.tell("DNS names all")
            self.pause(1.5)
        finally:
            if twin:
                twin.kill()
                self.tell("the twin ends")
        cluster.wait_ready(seconds=60)
        cluster.put("storm", str(self.seed))
        if rng.random() < 0.5 and not self.has_twin:
            wait_for("every place is held by a voter", self.is_whole, 60)
            self.wipe(cluster.members[0])
            wait_for("pod 0 is back", cluster.members[0].is_ready, 60)
        cluster.wait_ready(seconds=60)
        cluster.check_one_cluster()
        for member in cluster.members:
            check(cluster.get("storm", via=member) == str(self.seed), f"{member.name} has lost an acknowledged write")
        known = [found for found in map(founders, cluster.members) if found]
        check(known and all(found == known[0] for found in known), f"the founders differ: {known}")
        least = 3 if self.is_inferred else self.count
        check(len(known[0]) >= least, f"{len(known[0])} founded, below unanimity")


def scenario_bootstrap_storms(context):
    """Random starts, half DNS answers, twins, wiped disks: always exactly one cluster, all founders agreed, no write lost."""
    started = time.monotonic()
    for seed in range(FIRST_SEED, FIRST_SEED + STORMS):
        storm = Storm(context, seed)
        with storm.cluster:
            try:
                storm.run()
            except BaseException:
                print(f"    storm {seed}: " + "; ".join(storm.story))
                raise
    context.figure(f"{STORMS} storms from seed {FIRST_SEED}", f"{time.monotonic() - started:.0f} s")


scenario_bootstrap_storms.limit_seconds = 60 + 100 * STORMS
