"""In words: what a run was measured on."""
import os
import platform


def machine(kube):
    nodes = kube.nodes()
    version = nodes[0]["status"]["nodeInfo"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = f"kind, {len(nodes)} nodes as containers of one machine" if kube.kind_name else f"{len(nodes)} nodes"
    return (f"{kind}; {os.cpu_count()} processors, {memory:.0f} GiB, Linux {platform.release()}; Kubernetes {version['kubeletVersion']}, "
            f"{version['containerRuntimeVersion'].replace('://', ' ')}")


def load_average():
    return os.getloadavg()[0]
