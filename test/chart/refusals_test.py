"""Values that are refused: by a guard with its reason, or by the schema."""
import re
import unittest

import helm

GUARDS = [
    ({"replicaCount": 1}, "survives no failure"),
    ({"replicaCount": 3, "bootstrap.expect": 5}, "would wait for ever"),
    ({"bootstrap.single": True}, "bootstrap.single: contradicts 3 founders"),
    ({"bootstrap.token": "a", "bootstrap.existingSecret.name": "b"}, "only one of them can be meant"),
    ({"replicaCount": 4, "podDisruptionBudget.maxUnavailable": 2}, "a majority has to stay: at most 1"),
    ({"replicaCount": 2, "podDisruptionBudget.maxUnavailable": 1}, "a majority has to stay: at most 0"),
    ({"drain.timeoutSeconds": 50}, "at least 63"),
    ({"terminationGracePeriodSeconds": 20}, "at least 33"),
    ({"seccomp.profile": "Localhost"}, "seccomp.localhostProfile: the profile Localhost needs"),
    ({"seccomp.localhostProfile": "a.json"}, "is not used with seccomp.profile: RuntimeDefault"),
    ({"metrics.serviceMonitor.enabled": True, "metrics.podMonitor.enabled": True}, "scraped twice"),
    ({"service.leader.enabled": True}, "only set with discovery.mode: kubernetes"),
    ({"extraEnv": [{"name": "POD_NAME", "value": "x"}]}, "extraEnv: POD_NAME is set by the chart"),
    ({"podLabels": {"app.kubernetes.io/component": "x"}}, "part of the selectors"),
    ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "part of the selectors"),
]

# Three reasons are given in two ways: a budget, the grace period, a label of the selectors.
GUARDS_TRIED_HERE = len(GUARDS) - 3
GUARDS_THAT_NEED_A_CLUSTER = 2

SCHEMA = [
    ({"replicas": 3}, "replicas"),
    ({"replicaCount": 0}, "replicaCount"),
    ({"replicaCount": "three"}, "replicaCount"),
    ({"replicaCount": 65}, "replicaCount"),
    ({"discovery.mode": "consul"}, "mode"),
    ({"config.no_such_option": 1}, "no_such_option"),
    ({"config.data_dir": "/elsewhere"}, "data_dir"),
    ({"image.digest": "sha256:short"}, "digest"),
    ({"image.pullPolicy": "Sometimes"}, "pullPolicy"),
    ({"seccomp.profile": "Default"}, "profile"),
    ({"persistence.size": "ten"}, "size"),
    ({"persistence.retention.whenScaled": "Keep"}, "whenScaled"),
    ({"podAntiAffinityPreset": "medium"}, "podAntiAffinityPreset"),
    ({"fullnameOverride": "Upper"}, "fullnameOverride"),
    ({"bootstrap.expect": 0}, "expect"),
    ({"tls": {"enabled": True}}, "tls"),
    ({"commonLabels": {"a": 1}}, "commonLabels"),
    ({"scaleIn.stepTimeout": "soon"}, "stepTimeout"),
]


class Refusals(unittest.TestCase):
    def refusals(self, rows):
        """Values, what the refusal must say, and what it says; nothing where there was none."""

        def refusal(row):
            try:
                helm.template(*helm.with_values(row[0]))
            except helm.Refused as refused:
                return str(refused)
            return ""

        return [(*row, text) for row, text in zip(rows, helm.in_parallel(refusal, rows))]

    def test_guards_say_why(self):
        for values, reason, text in self.refusals(GUARDS):
            with self.subTest(values=values):
                self.assertIn(reason, text)

    def test_every_guard_is_tried(self):
        text = (helm.CHART / "templates/_guards.tpl").read_text()
        self.assertEqual(len(re.findall(r"\bfail ", text)), GUARDS_TRIED_HERE + GUARDS_THAT_NEED_A_CLUSTER,
                         "a guard without a test, here or in lookup_test.py")

    def test_schema_refuses(self):
        for values, name, text in self.refusals(SCHEMA):
            with self.subTest(values=values):
                self.assertIn("values don't meet the specifications of the schema", text)
                self.assertIn(name, text)
