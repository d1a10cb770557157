#!/usr/bin/env python3
"""Tests of tools/check_layers.py: small trees with one violation each, and one without."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_layers  # noqa: E402


def problems_of(files, exceptions=""):
    with tempfile.TemporaryDirectory(prefix="whitewater-layers-") as folder:
        root = pathlib.Path(folder)
        (root / "tools").mkdir()
        (root / check_layers.EXCEPTIONS_FILE).write_text(exceptions)
        for name, text in files.items():
            path = root / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check_layers.check(root)[1]


class CheckLayers(unittest.TestCase):
    def test_a_tree_that_keeps_the_layers_has_no_problems(self):
        self.assertEqual([], problems_of({
            "base/ids.hpp": "#include <cstdint>\n",
            "core/node.hpp": '#include "base/ids.hpp"\n#include "core/types.hpp"\n#include <map>\n',
            "replica/replica.hpp": '#include "core/node.hpp"\n#include "log/planner.hpp"\n#include "kv/store.hpp"\n',
            "net/listener.cpp": "#include <boost/asio/ip/tcp.hpp>\n",
            "server/main.cpp": '#include "api/health.hpp"\n#include <unistd.h>\n',
        }, "net/listener.cpp the accept loop\n"))

    def test_a_lower_layer_must_not_include_a_higher_one(self):
        for name, header in (("core/a.cpp", "log/planner.hpp"), ("kv/a.cpp", "core/types.hpp"), ("base/a.cpp", "core/types.hpp"),
                             ("log/a.cpp", "kv/store.hpp"), ("replica/a.cpp", "net/frame.hpp"), ("api/a.cpp", "replica/replica.hpp"),
                             ("net/a.cpp", "server/options.hpp"), ("discovery/a.cpp", "api/health.hpp")):
            problems = problems_of({name: f'#include "{header}"\n'})
            self.assertEqual(1, len(problems), (name, header, problems))
            self.assertIn(f"must not include {header}", problems[0])

    def test_of_core_the_log_sees_the_types_only(self):
        self.assertEqual([], problems_of({"log/a.hpp": '#include "core/types.hpp"\n'}))
        self.assertIn("may include only", problems_of({"log/a.hpp": '#include "core/node.hpp"\n'})[0])
        self.assertEqual([], problems_of({"net/a.hpp": '#include "core/messages.hpp"\n'}))

    def test_pure_code_sees_no_asio_thread_clock_or_kernel(self):
        for header in ("boost/asio/io_context.hpp", "boost/beast/http.hpp", "thread", "mutex", "random", "fstream", "unistd.h",
                       "sys/socket.h", "liburing.h", "ares.h", "spdlog/spdlog.h", "condition_variable", "filesystem"):
            for folder in ("core", "log", "kv", "replica", "net", "discovery", "api", "base"):
                problems = problems_of({f"{folder}/a.cpp": f"# include <{header}>\n"})
                self.assertEqual(1, len(problems), (folder, header, problems))
                self.assertIn("pure code includes", problems[0])

    def test_pure_code_does_not_reach_io_through_a_header_of_its_own_folder(self):
        problems = problems_of({"net/listener.hpp": "#include <boost/asio.hpp>\n", "net/frame.cpp": '#include "net/listener.hpp"\n'},
                               "net/listener.hpp the accept loop\n")
        self.assertEqual(1, len(problems))
        self.assertIn("which is I/O", problems[0])

    def test_an_exception_needs_a_file_and_a_reason_and_no_pure_folder(self):
        files = {"net/listener.cpp": "", "core/node.cpp": ""}
        self.assertIn("no file matches", problems_of(files, "net/gone.cpp because\n")[0])
        self.assertIn("has no reason", problems_of(files, "net/listener.cpp\n")[0])
        self.assertIn("pure as a whole", problems_of(files, "core/node.cpp because\n")[0])

    def test_includes_are_rooted_at_src(self):
        self.assertIn("rooted at src/", problems_of({"core/a.cpp": '#include "../base/ids.hpp"\n'})[0])

    def test_a_folder_that_is_no_layer_is_reported(self):
        self.assertIn("is no layer", problems_of({"misc/a.cpp": ""})[0])


if __name__ == "__main__":
    unittest.main()
