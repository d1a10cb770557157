"""What the chart does where it finds a StatefulSet: an upgrade, with a server that answers for the cluster."""
import unittest

import helm
import yaml

STATEFUL_SET = ("--show-only", "templates/statefulset.yaml")
JOB = ("--show-only", "templates/scale-in.yaml")


def expect_in(text):
    container = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one.get("value") for one in container["env"]}["WHITEWATER_BOOTSTRAP_EXPECT"]


class Upgrades(unittest.TestCase):
    def test_the_count_of_founders_stays(self):
        for replicas, wanted in ((3, 5), (5, 3), (3, 3)):
            with self.subTest(replicas=replicas, wanted=wanted), helm.Cluster(replicas, "3") as cluster:
                self.assertEqual("3", expect_in(cluster.upgrade(*STATEFUL_SET, "--set", f"replicaCount={wanted}")))

    def test_without_a_cluster_it_is_the_replicas(self):
        self.assertEqual("5", expect_in(helm.template(*STATEFUL_SET, "--set", "replicaCount=5")))
        self.assertEqual("3", expect_in(helm.template(*STATEFUL_SET, "--is-upgrade", "--set", "replicaCount=5", "--set", "bootstrap.expect=3")))

    def test_another_count_is_refused(self):
        with helm.Cluster(3, "3") as cluster, self.assertRaises(helm.Refused) as caught:
            cluster.upgrade("--set", "bootstrap.expect=5")
        self.assertIn("was installed with 3 and cannot be founded again with 5", str(caught.exception))

    def test_a_cluster_of_one_may_grow(self):
        with helm.Cluster(1, "1") as cluster:
            self.assertEqual("1", expect_in(cluster.upgrade(*STATEFUL_SET, "--set", "bootstrap.single=true")))

    def test_members_leave_before_the_set_shrinks(self):
        with helm.Cluster(5) as cluster:
            job = yaml.safe_load(cluster.upgrade(*JOB))
            container = job["spec"]["template"]["spec"]["containers"][0]
            self.assertEqual("pre-upgrade", job["metadata"]["annotations"]["helm.sh/hook"])
            self.assertEqual(["scale", "--to", "3", "--timeout", "60s"], container["args"])
            endpoints = container["env"][0]["value"].split(",")
            self.assertEqual(5, len(endpoints))
            self.assertEqual("ww-whitewater-4.ww-whitewater-headless.kv.svc:2379", endpoints[4])

    def test_nobody_leaves_otherwise(self):
        for replicas in (3, 2):
            with self.subTest(replicas=replicas), helm.Cluster(replicas) as cluster:
                self.assertNotIn("kind: Job", cluster.upgrade())
        self.assertNotIn("kind: Job", helm.template())

    def test_shrinking_below_the_majority_without_the_job_is_refused(self):
        with helm.Cluster(5) as cluster:
            with self.assertRaises(helm.Refused) as caught:
                cluster.upgrade("--set", "replicaCount=2,scaleIn.enabled=false")
            self.assertIn("leaves no majority", str(caught.exception))
            cluster.upgrade("--set", "replicaCount=3,scaleIn.enabled=false")


class Notes(unittest.TestCase):
    def notes(self, *arguments, **cluster):
        with helm.Cluster(**cluster) as server:
            return server.notes(*arguments)

    def test_how_to_reach_it(self):
        text = self.notes()
        self.assertIn("ww-whitewater.kv.svc:8090", text)
        self.assertIn("kubectl -n kv exec ww-whitewater-0 -- whitewater doctor", text)

    def test_warnings_are_those_in_force(self):
        warnings = {
            "survive no more failures": "replicaCount=4",
            "No volumes": "persistence.enabled=false",
            "deletes the data": "persistence.retention.whenDeleted=Delete",
            "may share a node": "podAntiAffinityPreset=none",
            "over zones": "topologySpread.enabled=false",
            "denies io_uring": "seccomp.profile=RuntimeDefault",
            "refuses the pods": "seccomp.profile=Unconfined",
            "No PodDisruptionBudget": "podDisruptionBudget.enabled=false",
            "No NetworkPolicy": "networkPolicy.enabled=false",
            "faster than the members": "minReadySeconds=5",
        }
        calm = self.notes("--set", "podAntiAffinityPreset=hard,seccomp.profile=Localhost,seccomp.localhostProfile=a.json")
        self.assertNotIn("WARNINGS", calm)
        values = list(warnings.values())
        values.remove("seccomp.profile=Unconfined")
        shown = self.notes("--set", ",".join(values)) + self.notes("--set", "seccomp.profile=Unconfined")
        for warning in warnings:
            with self.subTest(warning):
                self.assertIn(warning, shown)
                self.assertNotIn(warning, calm)

    def test_volumes_of_earlier_members(self):
        claims = ["data-ww-whitewater-4"]
        text = self.notes("--set", "replicaCount=5,rejoinRemoved=false", replicas=3, claims=claims)
        self.assertIn("data-ww-whitewater-4 is", text)
        self.assertNotIn("data-ww-whitewater-3 is", text)
        self.assertNotIn("data-ww-whitewater-4 is", self.notes("--set", "replicaCount=5", replicas=3, claims=claims))
