#!/usr/bin/env python3
"""What the tests on Kubernetes decide without a cluster: which steps run, how manifests come out of the guide's text, what is changed
in them, and how samples are read."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "load"), str(HERE.parent / "integration"), str(HERE.parents[1] / "tools/kind")]
import guide  # noqa: E402
import images  # noqa: E402
import options  # noqa: E402
import pods  # noqa: E402
import run  # noqa: E402
from kube import Failure  # noqa: E402
from trial import short  # noqa: E402

TEXT = """# Guide
## Option 1: DNS
```yaml
a: 1
```
```rust
no
```
```yaml
b: 2
```
## Option 2: API
```yaml
rbac: 1
```
```yaml
set: 2
```
## Option 3: Init
```yaml
    spec:
      # Init container runs first
      initContainers: old
      # Main application container
      containers: []
```
### Alternative
```yaml
initContainers:
- name: other
```
## Comparison
```yaml
never: 1
```
"""
NAMED = {option.name: option for option in options.OPTIONS}


class Guide(unittest.TestCase):
    def test_blocks_are_joined_as_documents(self):
        composed = guide.compose(TEXT)
        self.assertEqual(composed["dns"], "a: 1\n---\nb: 2\n")
        self.assertEqual(composed["kubernetes"], "rbac: 1\n---\nset: 2\n")

    def test_the_alternative_takes_the_place_of_the_init_container(self):
        text = guide.compose(TEXT)["file-kubectl"]
        self.assertTrue(text.startswith("rbac: 1\n---\n"))
        self.assertIn("      serviceAccountName: whitewater", text)
        self.assertIn("      initContainers:\n      - name: other\n", text)
        self.assertNotIn("old", text)
        self.assertIn("      containers: []", text)


class Manifests(unittest.TestCase):
    def setUp(self):
        self.is_stand_in, images.is_stand_in = images.is_stand_in, lambda image: False

    def tearDown(self):
        images.is_stand_in = self.is_stand_in

    def test_the_guide_is_applied_as_it_is(self):
        for name in ("dns", "kubernetes", "file", "file-kubectl"):
            text, change = NAMED[name].manifest()
            self.assertEqual(change, "")
            self.assertEqual(text, (guide.MANIFESTS / f"{name}.yaml").read_text())

    def test_every_change_is_named(self):
        images.is_stand_in = lambda image: True
        text, change = NAMED["file-kubectl"].manifest()
        self.assertIn("imagePullPolicy: IfNotPresent", text)
        self.assertIn("imagePullPolicy", change)
        self.assertEqual(NAMED["file"].manifest()[1], "")  # its tag is no "latest", so that nothing has to change
        text, change = NAMED["volumes"].manifest()
        self.assertIn("volumeClaimTemplates", text)
        self.assertIn("volume", change)

    def test_a_place_that_is_not_there_is_an_error(self):
        with self.assertRaises(Failure):
            options.with_volumes("kind: Other\n")


class Plan(unittest.TestCase):
    def test_everything_by_default(self):
        self.assertEqual(run.plan(NAMED["dns"], []), list(run.STEPS))
        self.assertEqual(run.plan(NAMED["volumes"], []), list(run.SHORT))

    def test_a_step_brings_what_it_needs(self):
        self.assertEqual(run.plan(NAMED["dns"], ["dns/pod"]), ["form", "load", "pod", "verify"])
        self.assertEqual(run.plan(NAMED["dns"], ["dns/all"]), ["form", "all"])
        self.assertEqual(run.plan(NAMED["volumes"], ["volumes/all"]), ["form", "load", "verify", "all"])
        self.assertEqual(run.plan(NAMED["file"], ["dns/pod"]), [])

    def test_an_unknown_step_is_refused(self):
        with self.assertRaises(SystemExit):
            run.plan(NAMED["dns"], ["dns/nothing"])


class Samples(unittest.TestCase):
    def test_members_are_called_by_their_pods(self):
        self.assertEqual(pods.name_of({"name": "whitewater-3"}), "whitewater-3")
        self.assertEqual(pods.name_of({"peerURLs": ["http://whitewater-4.svc.default:8090"]}), "whitewater-4")
        self.assertEqual(pods.name_of({"peerURLs": ["http://10.244.1.7:8090"]}), "10.244.1.7")

    def test_two_clusters_are_shown(self):
        sample = {"pods": 2, "silent": [], "clusters": ["1", "2"], "outside": 1, "voters": ["whitewater-0"], "learners": [], "voting": 0, "leader": ""}
        self.assertEqual(short(sample), "2 pods, voters 0 (0 of them answer), no leader, 1 in no cluster, CLUSTERS ['1', '2']")


if __name__ == "__main__":
    unittest.main()
