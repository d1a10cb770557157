"""./dev as a newcomer uses it, in a copy of the scripts, so that a cluster which the developer runs is not touched."""
import os
import pathlib
import re
import shutil
import subprocess
import time

from harness import DEV_NET as NET
from harness import ROOT, check, wait_for


class Dev:
    def __init__(self, context):
        self.folder = pathlib.Path(context.folder) / "newcomer"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copy(ROOT / "dev", self.folder / "dev")
        shutil.copytree(ROOT / "tools", self.folder / "tools")
        self.build_dir = context.build_dir

    def run(self, *arguments, code=0):
        done = subprocess.run(["./dev", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=100,
                              env={**os.environ, "WHITEWATER_DEV_NET": NET}, stdin=subprocess.DEVNULL)
        output = done.stdout + done.stderr
        check(code is None or done.returncode == code, f"./dev {' '.join(arguments)}: exit {done.returncode}, expected {code}\n{output}")
        return output

    def up(self, *arguments, code=0):
        return self.run("up", "--build-dir", str(self.build_dir), *arguments, code=code)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["./dev", "down", "--wipe"], cwd=self.folder, capture_output=True, timeout=30,
                       env={**os.environ, "WHITEWATER_DEV_NET": NET})


def cli(context, *arguments, code=0):
    done = subprocess.run([str(context.binary), *arguments], capture_output=True, text=True, timeout=40)
    check(done.returncode == code, f"whitewater {' '.join(arguments)}: exit {done.returncode}, expected {code}\n{done.stdout}{done.stderr}")
    return done.stdout


def scenario_up_status_up_down(context):
    """./dev up, status, a second up, down, and up again with the data kept."""
    with Dev(context) as dev:
        check("No cluster" in dev.run("status", code=1), "status without a cluster")
        started = time.monotonic()
        output = dev.up()
        seconds = time.monotonic() - started
        written = re.search(r"Written and read through each member after (\d+\.\d) s", output)
        check(written, f"first writes after {seconds:.1f} s:\n{output}")
        context.figure("./dev up to the first write through each member", f"{written.group(1)} s")
        for ordinal in range(3):
            check(re.search(rf"whitewater-{ordinal}\s+[0-9a-f]{{16}}\s+(leader|follower)", output), f"no row of whitewater-{ordinal}:\n{output}")
        check(len(re.findall(r"^whitewater-\d .*\bleader\b", output, re.M)) == 1, f"not exactly one leader:\n{output}")
        check(output.count("Three commands to try") == 1, output)
        for command in re.findall(r"^  (curl .*)$", output, re.M):
            subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=10)

        endpoint = f"{NET}.2:8090"
        cli(context, "put", "greeting", "hello", "--endpoints", endpoint)
        status = dev.run("status")
        check("dnsmasq" in status and status.count("pid") == 4, status)
        check("running already" in dev.up(), "a second up while it runs")
        check("unknown argument" in dev.up("--frobnicate", code=1), "an unknown argument")
        check("whitewater scale --to 2" in dev.up("--members", "2", code=1), "fewer members than there are")

        dev.run("down")
        check("not running" in dev.run("status", code=1), "status after down")
        output = dev.up()
        check("Keeping the data" in output, output)
        check(cli(context, "get", "greeting", "--endpoints", endpoint) == "greeting\nhello\n", "the data is gone")
        check("data is removed" in dev.run("down", "--wipe"), "down --wipe")
        check(not (dev.folder / ".run").exists(), ".run is still there")


def scenario_grow_and_shrink(context):
    """The README's tour: ./dev up --members 5 over three running members, whitewater scale --to 3, ./dev up --members 3."""
    with Dev(context) as dev:
        dev.up()
        output = dev.up("--members", "5")
        check("Starting 2 of 5 members" in output and "whitewater-4" in output, output)
        endpoints = ",".join(f"{NET}.{i}:8090" for i in (1, 2, 3))
        wait_for("five voters", lambda: " learner " not in cli(context, "members", "--endpoints", endpoints), 60, interval=0.5)
        output = cli(context, "scale", "--to", "3", "--endpoints", endpoints)
        check("removed whitewater-4" in output and "removed whitewater-3" in output, output)
        check("promoted" in cli(context, "membership", "history", "--endpoints", endpoints), "history")
        wait_for("they end", lambda: dev.run("status", code=None).count("not running") == 2, 30, interval=0.5)
        output = dev.up("--members", "3")
        check("whitewater-2" in output and "whitewater-3" not in output, output)


def scenario_five_members(context):
    """./dev up --members 5, one of them killed and started again by a further up."""
    with Dev(context) as dev:
        output = dev.up("--members", "5")
        check("whitewater-4" in output, output)
        pid = int((dev.folder / ".run/whitewater-3.pid").read_text().split()[0])
        os.kill(pid, 9)
        output = dev.up()
        check("Starting 1 of 5 members" in output, output)


def scenario_one_member(context):
    """./dev up --members 1: a cluster of one; bad numbers are refused."""
    with Dev(context) as dev:
        check("not in 1..9" in dev.up("--members", "0", code=1), "0 members")
        check("is not a number" in dev.up("--members", "many", code=1), "many members")
        check("leader" in dev.up("--members", "1"), "one member")


def scenario_down_spares_strangers(context):
    """./dev down ends no process that merely has a pid that it once wrote down."""
    with Dev(context) as dev:
        (dev.folder / ".run").mkdir()
        stranger = subprocess.Popen(["sleep", "60"])
        try:
            (dev.folder / ".run/members").write_text("3\n")
            (dev.folder / ".run/whitewater-0.pid").write_text(f"{stranger.pid} 1\n")
            dev.run("down")
            check(stranger.poll() is None, "the stranger was ended")
        finally:
            stranger.kill()
            stranger.wait()


def scenario_command_line(context):
    """put, get, del, members, status, config, version against a cluster: output and exit codes."""
    with Dev(context) as dev:
        dev.up("--members", "3")
        all_endpoints = ",".join(f"{NET}.{i}:8090" for i in (9, 1, 2, 3))  # the first does not exist
        more = ("--endpoints", all_endpoints)
        check(cli(context, "put", "a/1", "one", *more) == "OK\n", "put")
        check(cli(context, "put", "a/2", "", *more) == "OK\n", "put of an empty value")
        check(cli(context, "get", "a/1", *more) == "a/1\none\n", "get")
        cli(context, "get", "a/1", "--expect", "one", *more)
        cli(context, "get", "a/1", "--expect", "two", *more, code=1)
        check(cli(context, "get", "--prefix", "a/", "--keys-only", *more) == "a/1\na/2\n", "get --prefix --keys-only")
        check(cli(context, "get", "--prefix", "a/", "--limit", "1", *more) == "a/1\none\n", "get --limit")
        check(cli(context, "get", "--prefix", "", "--count-only", *more) == "5\n", "get --count-only")
        check(cli(context, "get", "a/1", "--serializable", *more) in ("a/1\none\n", ""), "get --serializable")
        check('"kvs":[{' in cli(context, "get", "a/1", "--output", "json", *more), "get --output json")
        check(cli(context, "del", "a/2", *more) == "1\n", "del")
        cli(context, "get", "a/2", *more, code=1)
        cli(context, "del", "a/2", *more, code=1)
        cli(context, "get", "a/1", "--rev", "999999", *more, code=4)
        cli(context, "put", "k", *more, code=2)
        cli(context, "get", "k", "--endpoints", f"{NET}.9:8090", code=3)
        check(cli(context, "members", *more).count("\n") == 4, "members")
        check(cli(context, "status", "--endpoints", f"{NET}.1:8090,{NET}.2:8090").count("\n") == 3, "status")
        cli(context, "status", *more, code=3)
        check(cli(context, "version").startswith("whitewater "), "version")
        check("SERVICE_NAME" not in cli(context, "config", "--peers", "a=h:1", "--name", "a"), "config")
