#include "discovery/file_source.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "responder_env.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;
using base::milliseconds;
using base::seconds;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/whitewater-peers-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name = "peers.json") const { return path_ + "/" + name; }
  void write(const std::string& text, const std::string& name = "peers.json") const {
    std::ofstream(file(name), std::ios::trunc) << text;
  }

 private:
  std::string path_;
};

struct LinesSink final : base::LogSink {
  [[nodiscard]] bool is_enabled(base::LogLevel) const override { return true; }
  void write(base::LogLine line) override { lines.push_back(line.message); }
  std::vector<std::string> lines;
};

FileSourceOptions options_for(const Folder& folder, const DnsResponder& responder) {
  FileSourceOptions options;
  options.path = folder.file();
  options.resolver.servers = {responder.server()};
  options.resolver.try_timeout = milliseconds(150);
  options.resolver.total_timeout = milliseconds(600);
  return options;
}

}  // namespace

TEST_CASE("a peers file that is not there yet is no information, and is taken when it appears", "[file]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    const Folder folder;
    LinesSink log;
    FileSource source(executor, options_for(folder, responder), log);
    REQUIRE((co_await source.discover()).error() == Errc::not_found);
    REQUIRE_FALSE(source.last_known().is_known);
    REQUIRE(source.last_known().last_error.find("No such file or directory; is its volume mounted") !=
            std::string::npos);
    folder.write(R"({"peers":["a-0:8090","a-1:8090"],"expect":3})");
    const auto set = co_await source.discover();
    REQUIRE(set->peers.size() == 2);
    REQUIRE(set->last_error.empty());
    REQUIRE(set->expect == 3);
    REQUIRE(log.lines.empty());
    REQUIRE(responder.asked.empty());  // nothing to guess from
  });
}

TEST_CASE("whatever happens to the peers file takes nothing from what is known", "[file]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    const Folder folder;
    LinesSink log;
    FileSource source(executor, options_for(folder, responder), log);
    folder.write(R"({"peers":["a-0:8090","a-1:8090"]})");
    REQUIRE((co_await source.discover())->peers.size() == 2);
    for (const auto* text : {"", "{\"peers\":[]}", "{\"peers\":[\n\"NXDOMAIN:8090\"]}\n", "{\"peers\":[\"a-0", "x"}) {
      folder.write(text);
      const auto set = co_await source.discover();
      REQUIRE(set->peers.size() == 2);
      REQUIRE(set->is_stale);
      REQUIRE(set->last_error.find(folder.file()) != std::string::npos);
    }
    folder.write(std::string(peers_file_bytes_max + 1, ' '));
    REQUIRE((co_await source.discover())->last_error.find("larger than") != std::string::npos);
    std::filesystem::remove(folder.file());
    REQUIRE(mkfifo(folder.file().c_str(), 0600) == 0);  // must not hold the reactor up
    REQUIRE((co_await source.discover())->last_error.find("no regular file") != std::string::npos);
    std::filesystem::remove(folder.file());
    std::filesystem::create_directory(folder.file());
    REQUIRE((co_await source.discover())->peers.size() == 2);
    std::filesystem::remove(folder.file());
    folder.write(R"({"peers":["a-2:8090"]})");
    const auto set = co_await source.discover();
    REQUIRE(set->peers.size() == 3);
    REQUIRE(set->last_error.empty());
  });
}

TEST_CASE("a peers file behind symbolic links is followed when they are swapped", "[file]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    const Folder folder;  // as a ConfigMap's volume: peers.json -> ..data/peers.json, ..data -> ..1
    LinesSink log;
    for (const auto* version : {"..1", "..2"}) std::filesystem::create_directory(folder.file(version));
    folder.write(R"({"peers":["a-0:8090"]})", "..1/peers.json");
    folder.write(R"({"peers":["a-0:8090","a-1:8090"]})", "..2/peers.json");
    std::filesystem::create_symlink("..1", folder.file("..data"));
    std::filesystem::create_symlink("..data/peers.json", folder.file());
    FileSource source(executor, options_for(folder, responder), log);
    REQUIRE((co_await source.discover())->peers.size() == 1);
    std::filesystem::create_symlink("..2", folder.file("..tmp"));
    std::filesystem::rename(folder.file("..tmp"), folder.file("..data"));
    REQUIRE((co_await source.discover())->peers.size() == 2);
  });
}

TEST_CASE("a bad entry of the peers file is reported once and hides no other", "[file]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    const Folder folder;
    LinesSink log;
    FileSource source(executor, options_for(folder, responder), log);
    folder.write("{\"peers\":[\n\"10.244.1.5:8090\",\":8090\"]}\n");
    for (int i = 0; i < 3; ++i) REQUIRE((co_await source.discover())->peers.size() == 1);
    REQUIRE(log.lines.size() == 1);
    REQUIRE(log.lines[0].find("\":8090\" has no host") != std::string::npos);
    REQUIRE(source.bad_entries().size() == 1);
    folder.write("{\"peers\":[\n\"10.244.1.5:8090\",\"NXDOMAIN:8090\"]}\n");
    for (int i = 0; i < 3; ++i) (void)co_await source.discover();
    REQUIRE(log.lines.size() == 2);
  });
}
