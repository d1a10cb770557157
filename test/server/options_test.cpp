#include <algorithm>
#include <set>

#include "catch.hpp"
#include "server/config.hpp"
#include "server/options_env.hpp"

using namespace whitewater::server;
using whitewater::server::test::mentions;
using whitewater::server::test::Setting;

TEST_CASE("a flag beats the environment, which beats the file, which beats the default") {
  // One option taken through all four levels.
  Setting setting;
  CHECK(setting.load().options.election_timeout_ms == 1000);
  CHECK(setting.load().sources.at("election_timeout_ms") == OptionSource::builtin);

  setting.arguments = {"--config", "w.json"};
  setting.file = R"({"election_timeout_ms": 2000})";
  CHECK(setting.load().options.election_timeout_ms == 2000);
  CHECK(setting.load().sources.at("election_timeout_ms") == OptionSource::file);

  setting.environment["WHITEWATER_ELECTION_TIMEOUT_MS"] = "3000";
  CHECK(setting.load().options.election_timeout_ms == 3000);
  CHECK(setting.load().sources.at("election_timeout_ms") == OptionSource::environment);

  setting.arguments.insert(setting.arguments.end(), {"--election-timeout-ms", "4s"});
  const auto loaded = setting.load();
  CHECK(loaded.options.election_timeout_ms == 4000);
  CHECK(loaded.sources.at("election_timeout_ms") == OptionSource::flag);
  CHECK(loaded.errors.empty());
  CHECK(loaded.warnings.empty());
}

TEST_CASE("no option has a name that Kubernetes would inject for a service") {
  // kubernetes.md §3.12; the guide's own SERVICE_PORT_NAME and SERVICE_NAME are not prefixed and are no such variable.
  std::set<std::string_view> names;
  std::set<std::string_view> variables;
  for (const auto& row : option_table()) {
    INFO(row.name);
    CHECK_FALSE(is_service_link_variable(row.environment));
    CHECK(names.insert(row.name).second);
    CHECK(variables.insert(row.environment).second);
    const std::set<std::string_view> guide{"SERVICE_NAME", "SERVICE_PORT_NAME", "NAMESPACE",     "POD_NAME",
                                           "POD_IP",       "PEERS_FILE",        "LABEL_SELECTOR"};
    CHECK((row.environment.starts_with("WHITEWATER_") || guide.contains(row.environment)));
  }
}

TEST_CASE("variables that Kubernetes injects for services are ignored without a word") {
  Setting setting;
  for (const char* name : {"WHITEWATER_SERVICE_PORT", "WHITEWATER_SERVICE_SERVICE_HOST", "WHITEWATER_PORT",
                           "WHITEWATER_SERVICE_PORT_8090_TCP_ADDR", "WHITEWATER_SERVICE_PORT_8090_TCP",
                           "WHITEWATER_HEADLESS_PORT_53_UDP", "WHITEWATER_HEADLESS_SERVICE_PORT_RAFT"}) {
    setting.environment[name] = "tcp://10.96.0.1:8090";
  }
  const auto loaded = setting.load();
  CHECK(loaded.warnings.empty());
  CHECK(loaded.errors.empty());
}

TEST_CASE("another unknown WHITEWATER_ variable is a warning that names the nearest option, not an error") {
  Setting setting;
  setting.environment["WHITEWATER_ELECTION_TIMOUT_MS"] = "5";
  setting.environment["WHITEWATER_SOMETHING_ENTIRELY_ELSE"] = "5";
  setting.environment["WHITEWATER_ENDPOINTS"] = "a:1";
  const auto loaded = setting.load();
  CHECK(loaded.errors.empty());
  REQUIRE(loaded.warnings.size() == 2);
  CHECK(mentions(
      loaded.warnings,
      "WHITEWATER_ELECTION_TIMOUT_MS: unknown variable, ignored; did you mean WHITEWATER_ELECTION_TIMEOUT_MS?"));
  CHECK(mentions(loaded.warnings, "WHITEWATER_SOMETHING_ENTIRELY_ELSE: unknown variable, ignored"));
}

TEST_CASE("an empty variable is not set") {
  Setting setting;
  setting.environment["WHITEWATER_DATA_DIR"] = "";
  setting.environment["POD_IP"] = "";
  const auto loaded = setting.load();
  CHECK(loaded.errors.empty());
  CHECK(loaded.options.data_dir == "/var/lib/whitewater");
  CHECK(loaded.options.listen == "0.0.0.0:8090");
}

TEST_CASE("an unknown flag is an error that names the nearest one") {
  Setting setting;
  setting.arguments = {"--election-timout-ms", "5"};
  auto loaded = setting.load();
  REQUIRE(loaded.errors.size() == 1);
  CHECK(loaded.errors[0] == "--election-timout-ms: unknown flag; did you mean --election-timeout-ms?");

  setting.arguments = {"--data_dir=/x"};
  loaded = setting.load();
  REQUIRE(loaded.errors.size() == 1);
  CHECK(loaded.errors[0] == "--data_dir: unknown flag; did you mean --data-dir?");

  setting.arguments = {"--election-timeout", "5"};
  CHECK(mentions(setting.load().errors, "did you mean --election-timeout-ms?"));

  setting.arguments = {"--zzz"};
  CHECK(setting.load().errors == std::vector<std::string>{"--zzz: unknown flag"});

  setting.arguments = {"stray"};
  CHECK(mentions(setting.load().errors, "\"stray\": unexpected argument"));
}

TEST_CASE("a flag without its value, or given twice, is an error") {
  Setting setting;
  setting.arguments = {"--data-dir"};
  CHECK(setting.load().errors.size() == 1);
  setting.arguments = {"--data-dir", "a", "--data-dir", "b"};
  CHECK(setting.load().errors.size() == 1);
}

TEST_CASE("an unknown key of the file is an error that names the nearest one") {
  Setting setting;
  setting.arguments = {"--config=w.json"};
  setting.file = R"({"data_dri": "/x", "log_level": "warn"})";
  const auto loaded = setting.load();
  REQUIRE(loaded.errors.size() == 1);
  CHECK(loaded.errors[0] == "w.json: unknown key \"data_dri\"; did you mean data_dir?");
}

TEST_CASE("a file that cannot be used says why") {
  Setting setting;
  setting.environment["WHITEWATER_CONFIG"] = "missing.json";
  CHECK(mentions(setting.load().errors, "missing.json: cannot be opened: No such file or directory"));

  setting.environment["WHITEWATER_CONFIG"] = "w.json";
  setting.file = "{";
  CHECK(mentions(setting.load().errors, "w.json: not valid JSON"));
  setting.file = "[]";
  CHECK(mentions(setting.load().errors, "must hold one JSON object"));
  setting.file = std::string(option_file_bytes_max + 1, ' ');
  CHECK(mentions(setting.load().errors, "larger than 1MiB"));
  setting.file = R"({"data_dir": {"a": 1}})";
  CHECK(mentions(setting.load().errors, "w.json: data_dir: takes TEXT"));
  setting.file = R"({"max_txn_ops": 1.5})";
  CHECK(mentions(setting.load().errors, "w.json: max_txn_ops: takes 1..10000"));
}

TEST_CASE("the file takes numbers, texts, truths and lists") {
  Setting setting;
  setting.arguments = {"--config", "w.json"};
  setting.file = R"({"max_txn_ops": 64, "log_segment_bytes": "32MiB", "bootstrap_single": true,
                     "listen_client": ["0.0.0.0:2379", "[::]:2380"], "dns_servers": "10.0.0.1, 10.0.0.2:5353"})";
  const auto loaded = setting.load();
  CHECK(loaded.errors.empty());
  CHECK(loaded.options.max_txn_ops == 64);
  CHECK(loaded.options.log_segment_bytes == 32U << 20);
  CHECK(loaded.options.bootstrap_single);
  CHECK(loaded.options.listen_client == std::vector<std::string>{"0.0.0.0:2379", "[::]:2380"});
  CHECK(loaded.options.dns_servers == std::vector<std::string>{"10.0.0.1", "10.0.0.2:5353"});
}

TEST_CASE("a value outside its range or of the wrong kind is an error from each source") {
  Setting setting;
  setting.arguments = {"--election-timeout-ms", "10"};
  CHECK(mentions(setting.load().errors, "--election-timeout-ms: \"10\" is outside 50..60000 ms"));
  setting.arguments = {"--log-segment-bytes", "1TiB"};
  CHECK(mentions(setting.load().errors, "--log-segment-bytes: \"1TiB\" is outside 4MiB..1GiB"));
  setting.arguments = {"--reactor", "kqueue"};
  CHECK(mentions(setting.load().errors, "--reactor: \"kqueue\" is not auto|uring|epoll"));
  setting.arguments = {"--bootstrap-single=perhaps"};
  CHECK_FALSE(setting.load().errors.empty());
  setting.arguments.clear();
  setting.environment["WHITEWATER_MAX_TXN_OPS"] = "many";
  CHECK(mentions(setting.load().errors, "WHITEWATER_MAX_TXN_OPS: \"many\" is not a number; it takes 1..10000"));
}

TEST_CASE("every mistake is reported at once") {
  Setting setting;
  setting.arguments = {"--config", "w.json", "--reactor", "kqueue", "--nonsense-flag"};
  setting.file = R"({"log_levle": "warn"})";
  setting.environment["WHITEWATER_LOG_FORMAT"] = "xml";
  CHECK(setting.load().errors.size() == 4);
}

TEST_CASE("switches are given alone or with a truth") {
  Setting setting;
  setting.arguments = {"--bootstrap-single"};
  CHECK(setting.load().options.bootstrap_single);
  setting.environment["WHITEWATER_BOOTSTRAP_SINGLE"] = "true";
  setting.arguments = {"--bootstrap-single=false"};
  CHECK_FALSE(setting.load().options.bootstrap_single);
}

TEST_CASE("a list is given by commas or by repeating the flag") {
  Setting setting;
  setting.arguments = {"--dns-servers", "10.0.0.1,10.0.0.2", "--dns-servers", "10.0.0.3:5353"};
  CHECK(setting.load().options.dns_servers == std::vector<std::string>{"10.0.0.1", "10.0.0.2", "10.0.0.3:5353"});
}

TEST_CASE("the listing of effective values names every source and hides the token") {
  Setting setting;
  setting.arguments = {"--config", "w.json", "--log-level", "warn"};
  setting.file = R"({"bootstrap_token": "s3cret"})";
  const auto loaded = setting.load();
  const std::string text = config_as_text(loaded);
  CHECK(text.find("flag --log-level") != std::string::npos);
  CHECK(text.find("file w.json") != std::string::npos);
  CHECK(text.find("environment SERVICE_NAME") != std::string::npos);
  CHECK(text.find("derived") != std::string::npos);
  CHECK(text.find("s3cret") == std::string::npos);
  CHECK(text.find("(set)") != std::string::npos);
  const std::string json = config_as_json(loaded);
  CHECK(json.find(R"("max_txn_ops":{"value":128,"source":"default"})") != std::string::npos);
  CHECK(json.find(R"("log_level":{"value":"warn","source":"flag --log-level"})") != std::string::npos);
  CHECK(json.find("s3cret") == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == static_cast<long>(option_table().size()));
}

TEST_CASE("the help shows every option with its flag, variable and default") {
  const std::string help = options_help();
  for (const auto& row : option_table()) {
    CHECK(help.find(flag_of(row) + " ") != std::string::npos);
    CHECK(help.find(row.environment) != std::string::npos);
  }
  Setting setting;
  setting.arguments = {"--help"};
  CHECK(setting.load().help_wanted);
}
