#!/usr/bin/env python3
"""The four ways of the Kubernetes guide as manifests, taken from its text byte for byte.

usage: test/kind/guide.py GUIDE [--write]    compares manifests/ with what the guide says; --write makes them from it

Option 3's alternative is given there as an excerpt: its `initContainers` in place of those of option 3, with the RBAC objects and the
service account of option 2."""
import argparse
import difflib
import pathlib
import re
import sys

MANIFESTS = pathlib.Path(__file__).resolve().parent / "manifests"
ACCOUNT = "      serviceAccountName: whitewater  # Use the ServiceAccount we created\n"


def blocks(text):
    """The YAML blocks under each heading "## Option N"."""
    parts = re.split(r"^## Option (\d).*$", text, flags=re.MULTILINE)
    return {int(number): re.findall(r"^```yaml\n(.*?)^```$", body.split("\n## ")[0], re.MULTILINE | re.DOTALL)
            for number, body in zip(parts[1::2], parts[2::2])}


def joined(*documents):
    return "\n---\n".join(document.rstrip("\n") for document in documents) + "\n"


def indented(text, columns):
    return "".join(" " * columns + line if line.strip() else line for line in text.splitlines(keepends=True))


def with_kubectl(manifest, excerpt):
    """Option 3 with the excerpt's init container."""
    begin = manifest.index("      # Init container runs first\n")
    end = manifest.index("      # Main application container\n")
    return manifest[:begin] + ACCOUNT + indented(excerpt, 6) + "\n" + manifest[end:]


def compose(text):
    options = blocks(text)
    rbac, api = options[2]
    busybox, excerpt = options[3]
    return {"dns": joined(*options[1]), "kubernetes": joined(rbac, api), "file": joined(busybox),
            "file-kubectl": joined(rbac, with_kubectl(busybox, excerpt))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guide", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    different = 0
    for name, wanted in compose(arguments.guide.read_text()).items():
        path = MANIFESTS / f"{name}.yaml"
        if arguments.write:
            path.write_text(wanted)
            continue
        found = path.read_text() if path.exists() else ""
        different += found != wanted
        sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), found.splitlines(True), "guide", path.name))
    print("written" if arguments.write else f"{different} of 4 manifests differ from the guide")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
