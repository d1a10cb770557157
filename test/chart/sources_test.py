"""What the chart names has to exist: options, paths and verbs in the sources of the server, metrics in what it registers, values in templates."""
import json
import re
import subprocess
import unittest

import helm
import yaml

SOURCES = helm.ROOT / "src"
# Of the chart's own environment variables those that are no options: read at other places of the server.
NO_OPTIONS = {"WHITEWATER_CONFIG", "WHITEWATER_ENDPOINTS"}
SET_BY_CHART = {"name", "pod_ip", "pod_uid", "data_dir", "listen", "listen_client", "advertise", "discovery", "peers", "peers_file", "label_selector",
                "kubernetes_folder", "service_name", "service_port_name", "namespace", "bootstrap_expect", "bootstrap_token",
                "bootstrap_single", "drain_delay_ms", "rejoin_removed"}


def read(path):
    return (SOURCES / path).read_text()


def options():
    """Name and variable of each option of the server."""
    found = dict(re.findall(r'^ +\{"([a-z_]+)", "([A-Z_]+)", "', read("server/options_table.cpp"), re.M))
    assert len(found) > 40, "the table of options was not understood"
    return found


def metric_names():
    """What a member exports: each family that is registered, with the suffixes of histograms."""
    names = {"up"}
    pattern = re.compile(r'(histogram|counter|gauge)\(\s*"([a-z_]+)"|\{"((?:etcd|os|process|whitewater)_[a-z_]+)", "')
    for path in SOURCES.rglob("*.cpp"):
        for kind, called, row in pattern.findall(path.read_text()):
            names.add(called or row)
            if kind == "histogram":
                names.update(f"{called}_{suffix}" for suffix in ("bucket", "sum", "count"))
    assert len(names) > 60, "the registrations of metrics were not understood"
    return names


def names_in(query):
    """Names of metrics in PromQL: what is no label, no text, no function and no word of the language."""
    query = re.sub(r'"[^"]*"', "", query)
    query = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", query)
    query = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", query)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])", query)
    return {word for word in words if word not in {"or", "and", "unless", "bool"} and not re.fullmatch(r"sum|count|max|min|e", word)}


def rules():
    text = helm.template("--show-only", "templates/prometheusrule.yaml", "--set", "metrics.prometheusRule.enabled=true")
    return yaml.safe_load(text)["spec"]


def paths(values, schema, prefix=""):
    """Every value, down to those whose content is the user's own."""
    for key, value in values.items():
        yield prefix + key, key in schema["properties"]
        if isinstance(value, dict) and "properties" in schema["properties"].get(key, {}):
            yield from paths(value, schema["properties"][key], f"{prefix}{key}.")


class Sources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cases = sorted(helm.CHART.glob("ci/*-values.yaml"))
        texts = helm.in_parallel(lambda case: helm.template("--values", str(case)), cases)
        cls.renders = [one for text in texts for one in yaml.safe_load_all(text) if one]
        with helm.Cluster(5) as cluster:
            cls.renders += [one for one in yaml.safe_load_all(cluster.upgrade()) if one]
        cls.values = yaml.safe_load((helm.CHART / "values.yaml").read_text())
        cls.schema = json.loads((helm.CHART / "values.schema.json").read_text())

    def containers(self):
        for document in self.renders:
            spec = document.get("spec") or {}
            spec = spec.get("template", {}).get("spec", spec)
            for container in spec.get("initContainers", []) + spec.get("containers", []):
                if "whitewater" in container["image"]:
                    yield container

    def test_environment(self):
        known = set(options().values()) | NO_OPTIONS | {"TZ"}
        sources = "".join(path.read_text() for path in SOURCES.rglob("*.[ch]pp"))
        for name in NO_OPTIONS:
            self.assertIn(f'"{name}"', sources)
        used = {variable["name"] for container in self.containers() for variable in container.get("env", [])}
        self.assertLessEqual(used, known)
        self.assertGreater(len(used), 12)

    def test_options_of_the_configuration_file(self):
        self.assertEqual(set(options()) - SET_BY_CHART, set(self.schema["properties"]["config"]["properties"]))
        self.assertLessEqual(SET_BY_CHART, set(options()))

    def test_probe_paths(self):
        served = set(re.findall(r'ProbePath\{"(/[a-z]+)"', read("api/health.cpp")))
        used = {container[probe]["httpGet"]["path"] for container in self.containers()
                for probe in ("startupProbe", "livenessProbe", "readinessProbe") if probe in container}
        self.assertEqual({"/startupz", "/livez", "/readyz"}, used)
        self.assertLessEqual(used, served)

    def test_verbs_and_flags(self):
        verbs = set(re.findall(r'verb\("([a-z]+)"|add_subcommand\("([a-z]+)"', read("server/cli_arguments.cpp")))
        verbs = {a or b for a, b in verbs} | {"serve", "discover"}
        lines = [container["args"] for container in self.containers() if "args" in container and "command" not in container]
        lines += [container["lifecycle"]["preStop"]["exec"]["command"][1:] for container in self.containers() if "lifecycle" in container]
        self.assertEqual({"serve", "discover", "scale", "drain", "put", "get", "del", "doctor"}, {line[0] for line in lines})
        self.assertLessEqual({line[0] for line in lines}, verbs)
        texts = read("server/cli_arguments.cpp") + "".join(path.read_text() for path in (SOURCES / "server").glob("discover*.cpp"))
        for line in lines:
            for flag in (word.split("=")[0] for word in line if word.startswith("--") and line[0] != "serve"):
                self.assertIn(f'"{flag}"', texts)

    def test_label_of_the_leader(self):
        sources = "".join(path.read_text() for part in ("discovery", "server") for path in (SOURCES / part).glob("*.[ch]pp"))
        selectors = [one["spec"]["selector"] for one in self.renders if one["kind"] == "Service"]
        roles = [one["whitewater.io/role"] for one in selectors if "whitewater.io/role" in one]
        self.assertEqual(["leader"], roles)
        for text in ('role_label = "whitewater.io/role"', 'set_role(', '"leader"', '{"patch", "", "pods"'):
            self.assertTrue(text in sources, text)

    def test_ports(self):
        self.assertIn("raft_port_default = 8090", "".join(path.read_text() for path in SOURCES.rglob("*.hpp")))
        self.assertIn("EXPOSE 8090 2379", (helm.ROOT / "docker/Dockerfile").read_text())
        self.assertIn("USER 10001:10001", (helm.ROOT / "docker/Dockerfile").read_text())

    def test_queries_name_metrics_that_exist(self):
        exported = metric_names()
        dashboard = json.loads((helm.CHART / "files/dashboard.json").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        queries += [rule["expr"] for group in rules()["groups"] for rule in group["rules"]]
        variables = [re.match(r"label_values\((\w+)", one["query"]["query"])[1] for one in dashboard["templating"]["list"]
                     if one["type"] == "query"]
        for query in queries:
            with self.subTest(query):
                found = names_in(query)
                self.assertTrue(found)
                self.assertLessEqual(found, exported)
        self.assertLessEqual(set(variables), exported)

    def test_every_value_has_an_effect_and_a_schema(self):
        templates = "".join(path.read_text() for path in helm.CHART.glob("templates/**/*") if path.is_file())
        for path, has_schema in paths(self.values, self.schema):
            with self.subTest(path):
                self.assertTrue(has_schema, "not in values.schema.json")
                is_used = re.search(rf'[."]{re.escape(path.split(".")[-1])}\b', templates)
                # What a probe has beside `enabled` is taken over as it is.
                self.assertTrue(is_used or path.startswith(("probes.", "config.")), "no template uses it")

    def test_pods_are_restricted(self):
        """Pod Security `restricted`, of every pod that the chart makes without values."""
        for document in yaml.safe_load_all(helm.template()):
            spec = (document or {}).get("spec") or {}
            spec = spec.get("template", {}).get("spec", spec)
            for container in spec.get("initContainers", []) + spec.get("containers", []):
                context = {**spec["securityContext"], **container["securityContext"]}
                self.assertTrue(context["runAsNonRoot"])
                self.assertFalse(context["allowPrivilegeEscalation"])
                self.assertEqual(["ALL"], context["capabilities"]["drop"])
                self.assertEqual("RuntimeDefault", context["seccompProfile"]["type"])
                self.assertTrue(context["readOnlyRootFilesystem"])

    def test_chart_names_the_image_of_its_values(self):
        chart = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())
        image = f"{self.values['image']['repository']}:{self.values['image']['tag']}"
        self.assertEqual(image, yaml.safe_load(chart["annotations"]["artifacthub.io/images"])[0]["image"])
        self.assertIn(f"image_name={image} ", (helm.ROOT / "tools/dev/image.sh").read_text())
        version = re.search(r"project\(whitewater VERSION ([0-9.]+)", (helm.ROOT / "CMakeLists.txt").read_text())[1]
        self.assertEqual(version, chart["appVersion"])
        self.assertIn(f"## {chart['version']}\n", (helm.CHART / "CHANGELOG.md").read_text())

    def test_readme_is_made_from_the_values(self):
        before = (helm.CHART / "README.md").read_text()
        made = subprocess.run([str(helm.HELM.parent / "helm-docs"), "--chart-search-root", str(helm.CHART), "--dry-run"],
                              capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertTrue(made.strip() == before.strip(), "it is not what the values say; write it anew: tools/helm/readme")
