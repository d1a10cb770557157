#include "server/options_check.hpp"

#include "catch.hpp"
#include "server/options_env.hpp"

using namespace whitewater::server;
using whitewater::server::test::mentions;
using whitewater::server::test::Setting;

namespace {

std::vector<std::string> errors_with(std::vector<std::string> arguments) {
  Setting setting;
  setting.arguments = std::move(arguments);
  return setting.load().errors;
}

}  // namespace

TEST_CASE("name, listen address and log format are derived where nobody gives them") {
  Setting setting;
  setting.environment = {{"SERVICE_NAME", "whitewater-headless"}, {"POD_IP", "10.1.2.3"}};
  auto loaded = setting.load();
  CHECK(loaded.options.name == "machine");
  CHECK(loaded.sources.at("name") == OptionSource::derived);
  CHECK(loaded.options.listen == "10.1.2.3:8090");
  CHECK(loaded.options.log_format == LogFormatChoice::json);
  CHECK(loaded.options.advertise.empty());

  setting.environment["POD_IP"] = "fd00::1";
  setting.environment["POD_NAME"] = "whitewater-4";
  setting.terminal = true;
  loaded = setting.load();
  CHECK(loaded.options.name == "whitewater-4");
  CHECK(loaded.options.listen == "[fd00::1]:8090");
  CHECK(loaded.options.log_format == LogFormatChoice::text);
}

TEST_CASE("the method of discovery follows from what is set") {
  Setting setting;
  CHECK(effective_discovery(setting.load().options) == DiscoveryMethod::dns);
  setting.arguments = {"--peers", "whitewater-0=10.0.0.1:8090,b=10.0.0.2:8090,c=10.0.0.3"};
  CHECK(effective_discovery(setting.load().options) == DiscoveryMethod::static_list);
  setting.arguments.insert(setting.arguments.end(), {"--discovery", "dns"});
  CHECK(effective_discovery(setting.load().options) == DiscoveryMethod::dns);
}

TEST_CASE("each of the guide's environments names its method, and the first of several wins") {
  Setting setting;
  setting.environment = {{"POD_NAME", "whitewater-0"}, {"POD_IP", "10.244.0.5"}};  // option 3: no NAMESPACE, no service
  setting.environment["PEERS_FILE"] = "/config/peers.json";
  auto loaded = setting.load();
  CHECK(loaded.errors.empty());
  CHECK(loaded.options.peers_file == "/config/peers.json");
  CHECK(effective_discovery(loaded.options) == DiscoveryMethod::file);
  CHECK(reason_of_method(loaded.options) == "PEERS_FILE is set");
  CHECK(loaded.options.bootstrap_expect == 0);
  CHECK(loaded.options.bootstrap_infer_settle_ms == 10'000);

  setting.environment.erase("PEERS_FILE");  // option 2: no SERVICE_NAME
  setting.environment.insert({{"NAMESPACE", "default"},
                              {"LABEL_SELECTOR", "app=whitewater"},
                              {"KUBERNETES_SERVICE_HOST", "10.96.0.1"},
                              {"KUBERNETES_SERVICE_PORT", "443"}});
  loaded = setting.load();
  CHECK(loaded.errors.empty());
  CHECK(loaded.warnings.empty());
  CHECK(effective_discovery(loaded.options) == DiscoveryMethod::kubernetes);
  CHECK(loaded.options.label_selector == "app=whitewater");
  CHECK(loaded.options.kubernetes_api == "10.96.0.1:443");
  CHECK(loaded.sources.at("kubernetes_api") == OptionSource::derived);

  setting.environment["SERVICE_NAME"] = "whitewater-headless";
  setting.environment["PEERS_FILE"] = "/config/peers.json";
  loaded = setting.load();
  CHECK(reason_of_method(loaded.options) == "PEERS_FILE is set; not used: kubernetes, dns (--discovery chooses)");
  setting.arguments = {"--discovery", "dns"};
  loaded = setting.load();
  CHECK(effective_discovery(loaded.options) == DiscoveryMethod::dns);
  CHECK(reason_of_method(loaded.options) == "discovery is set to dns");
  setting.arguments = {"--peers", "whitewater-0=10.0.0.1:8090"};
  CHECK(effective_discovery(setting.load().options) == DiscoveryMethod::static_list);
}

TEST_CASE("the address of the API server comes from the pod's environment, IPv6 in brackets") {
  Setting setting;
  setting.environment["KUBERNETES_SERVICE_HOST"] = "fd00:10:96::1";
  CHECK(setting.load().options.kubernetes_api == "[fd00:10:96::1]:443");
  setting.environment["KUBERNETES_SERVICE_PORT"] = "6443";
  CHECK(setting.load().options.kubernetes_api == "[fd00:10:96::1]:6443");
  setting.arguments = {"--kubernetes-api", "127.0.0.1:8443"};
  CHECK(setting.load().options.kubernetes_api == "127.0.0.1:8443");
}

TEST_CASE("a method that lacks what it needs says what to set") {
  CHECK(mentions(errors_with({"--discovery", "file"}), "file needs PEERS_FILE"));
  CHECK(mentions(errors_with({"--discovery", "kubernetes"}), "kubernetes needs LABEL_SELECTOR"));
  CHECK(mentions(errors_with({"--label-selector", "app=whitewater"}), "KUBERNETES_SERVICE_HOST is not set"));
  CHECK(mentions(errors_with({"--namespace", "a.b"}), "namespace: \"a.b\" is not a DNS label"));
  CHECK(mentions(errors_with({"--kubernetes-api", "nothing"}), "kubernetes_api: \"nothing\" is not host:port"));
}

TEST_CASE("without a way to find peers a member does not start") {
  Setting setting;
  setting.environment.clear();
  CHECK(mentions(setting.load().errors, "no way to find peers"));
  setting.arguments = {"--bootstrap-single"};
  const auto loaded = setting.load();
  CHECK(loaded.errors.empty());
  CHECK(loaded.options.bootstrap_expect == 1);
  CHECK(effective_discovery(loaded.options) == DiscoveryMethod::automatic);
  setting.arguments = {"--discovery", "dns"};
  CHECK(mentions(setting.load().errors, "dns needs SERVICE_NAME"));
  setting.arguments = {"--discovery", "static"};
  CHECK(mentions(setting.load().errors, "static needs peers"));
}

TEST_CASE("a static list of peers is checked and gives the number of founders") {
  Setting setting;
  setting.arguments = {"--peers", "whitewater-0=10.0.0.1:8090,b=10.0.0.2:8090,c=[fd00::3]:8090"};
  const auto loaded = setting.load();
  CHECK(loaded.errors.empty());
  CHECK(loaded.options.bootstrap_expect == 3);
  CHECK(loaded.sources.at("bootstrap_expect") == OptionSource::derived);
  CHECK(mentions(errors_with({"--peers", "b=10.0.0.2:8090,c=10.0.0.3:8090"}),
                 "own name \"whitewater-0\" is not in the list"));
  CHECK(mentions(errors_with({"--peers", "whitewater-0=10.0.0.1:8090,whitewater-0=10.0.0.2:8090"}), "listed twice"));
  CHECK(mentions(errors_with({"--peers", "10.0.0.1:8090"}), "is not name=host:port"));
  CHECK(mentions(errors_with({"--peers", "whitewater-0=:8090"}), "is not name=host:port"));
  CHECK(mentions(errors_with({"--peers", "whitewater-0=a:1,b=b:1", "--bootstrap-expect", "3"}),
                 "3 members can never agree when 2 peers are listed"));
  // A count of zero that somebody gave on purpose stays: such a member only joins.
  CHECK(errors_with({"--peers", "whitewater-0=a:1,b=b:1", "--bootstrap-expect", "0"}).empty());
}

TEST_CASE("founding alone must be said") {
  CHECK(mentions(errors_with({"--bootstrap-expect", "1"}), "add --bootstrap-single"));
  CHECK(mentions(errors_with({"--bootstrap-expect", "3", "--bootstrap-single"}), "contradicts bootstrap_expect=3"));
  CHECK(errors_with({"--bootstrap-expect", "1", "--bootstrap-single"}).empty());
  Setting setting;
  setting.arguments = {"--bootstrap-expect", "2"};
  CHECK(mentions(setting.load().warnings, "2 members survive no failure"));
}

TEST_CASE("times must fit each other") {
  CHECK(mentions(errors_with({"--heartbeat-interval-ms", "500"}),
                 "must be less than half of election_timeout_ms (1000)"));
  CHECK(errors_with({"--heartbeat-interval-ms", "499"}).empty());
  CHECK(mentions(errors_with({"--request-timeout-ms", "900"}), "must not be less than election_timeout_ms"));
}

TEST_CASE("sizes must fit each other") {
  CHECK(mentions(errors_with({"--log-segment-bytes", "4194305"}), "not a multiple of 4KiB"));
  CHECK(mentions(errors_with({"--log-budget-bytes", "16MiB"}), "at least two segments of 16MiB"));
  CHECK(mentions(errors_with({"--proposal-queue-bytes", "1MiB"}), "at least one request"));
}

TEST_CASE("addresses and labels are checked before anything starts") {
  CHECK(mentions(errors_with({"--listen", "8090"}), "listen: \"8090\" is not host:port"));
  CHECK(mentions(errors_with({"--listen-client", "0.0.0.0"}), "listen_client: \"0.0.0.0\" is not host:port"));
  CHECK(mentions(errors_with({"--listen", "0.0.0.0:8090", "--listen-client", "0.0.0.0:8090"}),
                 "already the listen address"));
  CHECK(mentions(errors_with({"--advertise", "host:99999"}), "advertise"));
  CHECK(mentions(errors_with({"--dns-servers", "10.0.0.1:x"}), "dns_servers"));
  CHECK(mentions(errors_with({"--service-name", "a.b"}), "service_name: \"a.b\" is not a DNS label"));
  CHECK(mentions(errors_with({"--namespace", "my space"}), "namespace"));
  CHECK(mentions(errors_with({"--name", "a b"}), "holds a blank"));
  CHECK(mentions(errors_with({"--name", std::string(254, 'a')}), "longer than 253"));
  Setting setting;
  setting.arguments = {"--data-dir", ""};
  CHECK_FALSE(setting.load().errors.empty());
}
