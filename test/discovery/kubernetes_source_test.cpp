// The Kubernetes source against the API server for tests: every way in which a real one can be difficult.
#include "discovery/kubernetes_source.hpp"

#include "api_server_env.hpp"
#include "catch.hpp"
#include "discovery/peer_refresher.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::milliseconds;
using base::seconds;

using Names = std::vector<std::string>;

TEST_CASE("the pods of the selector are listed, and known within a moment when they come and go", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    for (int i = 0; i < 3; ++i) env.add(i);
    env.server.store.put({"other-0", "u", "127.8.91.9", "Running", false, true, true, "other"});
    RunningSource running(env, env.options());
    const auto set = co_await running.source.discover();
    REQUIRE(set.has_value());
    REQUIRE(set->source == "kubernetes");
    REQUIRE(set->peers.size() == 3);
    REQUIRE(set->peers[1].name == "whitewater-1");
    REQUIRE(set->peers[1].uid == "uid-1");
    REQUIRE(set->peers[1].ordinal == 1);
    REQUIRE(set->peers[1].address == HostPort{"127.8.91.1", 8090});
    REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
    REQUIRE(co_await eventually([&] { return running.source.stale_for(net::now()) == seconds(0); }));
    int news = 0;
    running.source.on_change([&news] { ++news; });
    env.add(3);
    REQUIRE(co_await eventually([&] { return running.names().size() == 4; }));
    env.server.store.remove("whitewater-1");
    REQUIRE(
        co_await eventually([&] { return running.names() == Names{"whitewater-0", "whitewater-2", "whitewater-3"}; }));
    REQUIRE(news == 2);
    REQUIRE(env.server.count_asked("list") == 1);
    REQUIRE(env.server.count_asked("watch") == 1);
    REQUIRE(env.server.asked[0].find("labelSelector=app%3Dwhitewater&limit=100&resourceVersion=0") !=
            std::string::npos);
    co_await running.stop();
  });
}

TEST_CASE("a pod's deletion as a real server tells it: terminating, gone, back without and with an address",
          "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.add(1);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    auto& store = env.server.store;
    auto pod = store.pods().at("whitewater-1");
    pod.is_terminating = true;
    store.put(pod);
    REQUIRE(co_await eventually([&] { return running.source.last_known().peers[1].is_terminating; }));
    store.remove("whitewater-1");
    store.put({"whitewater-1", "uid-1b", "", "Pending"});
    REQUIRE(co_await eventually([&] { return running.names() == Names{"whitewater-0"}; }));
    REQUIRE(co_await eventually([&] { return running.source.pods().find("whitewater-1") != nullptr; }));
    REQUIRE((co_await running.source.resolve("whitewater-1.whitewater-headless.default.svc", 8090)).has_error());
    StoredPod not_ready{"whitewater-1", "uid-1b", "127.8.91.77"};
    not_ready.is_ready = false;
    store.put(not_ready);
    REQUIRE(co_await eventually([&] { return running.names().size() == 2; }));
    REQUIRE(running.source.last_known().peers[1].uid == "uid-1b");
    REQUIRE(env.log.has("whitewater-1 (Pending, no address) is a new incarnation"));
    const auto found = co_await running.source.resolve("whitewater-1.whitewater-headless.default.svc", 8090);
    REQUIRE(found.has_value());
    REQUIRE(found->front().address().to_string() == "127.8.91.77");
    co_await running.stop();
  });
}

TEST_CASE("a new incarnation that the watch missed is logged", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    env.server.go_away();
    env.add(0, "uid-0b");
    env.server.store.compact();
    env.server.come_back();
    REQUIRE(co_await eventually([&] { return running.source.last_known().peers[0].uid == "uid-0b"; }));
    REQUIRE(env.log.has("whitewater-0 (Running, 127.8.91.0) is a new incarnation"));
    co_await running.stop();
  });
}

TEST_CASE("410, in the stream and as a status, is followed by a list of the newest", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    for (const bool is_status : {false, true}) {
      env.server.knobs.gone_as_status = is_status;
      env.add(0);
      env.add(1);
      RunningSource running(env, env.options());
      REQUIRE((co_await running.source.discover()).has_value());
      REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
      env.server.asked.clear();
      env.server.go_away();
      env.server.store.remove("whitewater-1");  // nobody hears of it
      env.add(2);
      env.server.store.compact();
      env.server.come_back();
      REQUIRE(co_await eventually([&] { return running.names() == Names{"whitewater-0", "whitewater-2"}; }));
      REQUIRE(running.source.last_known().last_error.empty());
      REQUIRE_FALSE(running.source.last_known().is_stale);
      co_await running.stop();
    }
  });
}

TEST_CASE("a watch whose version expired is not asked for again and again", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
    // The history is cut in the moment in which the watch ends: the next one, from its version, meets a 410.
    env.server.store.put({"other-0", "u", "127.8.91.9", "Running", false, true, true, "other"});
    env.server.store.compact();
    env.server.asked.clear();
    env.server.knobs.status_of["list"] = 500;
    env.server.end_watches();
    REQUIRE(co_await eventually([&] { return env.server.count_asked("list") >= 2; }));
    REQUIRE_FALSE(running.source.last_known().last_error.empty());
    env.server.knobs.status_of.clear();
    REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
    // A refusal that is not about load: the newest is listed, whatever version was known.
    REQUIRE(std::any_of(env.server.asked.begin(), env.server.asked.end(), [](const auto& line) {
      return line.starts_with("list ") && line.find("resourceVersion") == std::string::npos;
    }));
    REQUIRE(env.server.count_asked("watch") == 1);
    co_await running.stop();
  });
}

TEST_CASE("an empty 200 and garbage are failed attempts with a wait between them", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    auto options = env.options();
    options.watch.backoff_min = options.watch.backoff_max = milliseconds(60);
    env.server.knobs.sends_nothing = {"list"};
    RunningSource running(env, options);
    const auto set = co_await running.source.discover();
    REQUIRE(set.error() == base::Errc::malformed);
    REQUIRE(running.source.last_known().last_error == "list pods: an empty answer");
    env.server.knobs.sends_nothing = {"watch"};
    REQUIRE(co_await eventually([&] { return env.server.count_asked("watch") >= 2; }));
    REQUIRE(running.names() == Names{"whitewater-0"});
    // Each empty watch is followed by a wait and a list; nothing spins.
    REQUIRE(env.server.count_asked("list") + 1 >= env.server.count_asked("watch"));
    env.server.knobs.sends_nothing.clear();
    env.server.knobs.sends_garbage = true;
    REQUIRE(co_await eventually([&] { return !env.server.knobs.sends_garbage && env.server.watch_count() == 1; }));
    env.add(1);
    REQUIRE(co_await eventually([&] { return running.names().size() == 2; }));
    co_await running.stop();
  });
}

TEST_CASE("429 waits as long as Retry-After says", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.server.knobs.status_of["list"] = 429;
    env.server.knobs.retry_after_seconds = 1;
    RunningSource running(env, env.options());
    const auto begin = net::now();
    const auto refused = co_await running.source.discover();
    REQUIRE(refused.error() == base::Errc::connection_lost);
    REQUIRE(running.source.last_known().last_error.find("429") != std::string::npos);
    env.server.knobs.status_of.clear();
    REQUIRE(co_await eventually([&] { return running.source.last_known().is_known; }));
    REQUIRE(net::now() - begin >= seconds(1));
    REQUIRE(env.server.count_asked("list") == 2);
    co_await running.stop();
  });
}

TEST_CASE("a list comes in pages, with the continue token as it is", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    for (int i = 0; i < 7; ++i) env.add(i);
    env.server.knobs.page_pods_max = 2;
    KubernetesSource source(env.executor, env.options(), base::Rng(1), env.log);  // run() is not needed for one list
    const auto set = co_await source.discover();
    REQUIRE(set->peers.size() == 7);
    REQUIRE(env.server.count_asked("list") == 4);
    REQUIRE(env.server.connection_count() == 1);  // kept between pages
    env.server.store.remove("whitewater-6");
    REQUIRE((co_await source.discover())->peers.size() == 6);
    REQUIRE(source.last_known().peers.size() == 6);
  });
}

TEST_CASE("a connection that the server closes between requests is opened anew", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    for (int i = 0; i < 5; ++i) env.add(i);
    env.server.knobs.page_pods_max = 2;
    env.server.knobs.closes_after_answer = true;
    KubernetesSource source(env.executor, env.options(), base::Rng(1), env.log);
    REQUIRE((co_await source.discover())->peers.size() == 5);
    REQUIRE(env.server.connection_count() == 3);
  });
}

TEST_CASE("a watch that is cut in the middle of a line goes on where it was", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
    env.add(1);
    REQUIRE(co_await eventually([&] { return running.names().size() == 2; }));
    env.server.knobs.cuts_next_event = true;
    env.add(2);
    REQUIRE(co_await eventually([&] { return running.names().size() == 3; }));
    REQUIRE(env.server.count_asked("list") == 1);
    REQUIRE(env.server.count_asked("watch") == 2);
    co_await running.stop();
  });
}

TEST_CASE("bookmarks keep an idle watch fresh: after its end it goes on without a list", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.server.knobs.bookmark_every = milliseconds(15);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
    env.server.store.put(
        {"other-0", "u", "127.8.91.9", "Running", false, true, true, "other"});  // not in the selection
    env.server.store.compact();
    const auto sent = env.server.bookmark_count();
    REQUIRE(co_await eventually([&] { return env.server.bookmark_count() >= sent + 2; }));
    env.server.end_watches();
    REQUIRE(co_await eventually([&] { return env.server.count_asked("watch") == 2; }));
    REQUIRE(env.server.count_asked("list") == 1);
    REQUIRE(env.server.asked.back().ends_with("resourceVersion=" + std::to_string(env.server.store.version())));
    co_await running.stop();
  });
}

TEST_CASE("while the API server is away the last known set stays, and says for how long", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.add(1);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
    env.server.go_away();
    REQUIRE(co_await eventually([&] { return running.source.last_known().is_stale; }));
    co_await net::sleep_for(milliseconds(100));
    REQUIRE(running.source.stale_for(net::now()) >= milliseconds(90));
    const auto set = co_await running.source.discover();
    REQUIRE(set.has_value());
    REQUIRE(set->peers.size() == 2);
    REQUIRE(set->last_error.find("127.0.0.1:" + std::to_string(env.server.port())) != std::string::npos);
    REQUIRE((co_await running.source.resolve("whitewater-1.any", 1)).has_value());
    env.server.come_back();
    env.add(2);
    REQUIRE(co_await eventually([&] { return running.names().size() == 3; }));
    REQUIRE(running.source.last_known().last_error.empty());
    REQUIRE(co_await eventually([&] { return running.source.stale_for(net::now()) == seconds(0); }));
    co_await running.stop();
  });
}

TEST_CASE("a server that never answers: discover ends in time, and says so", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.server.knobs.delay = seconds(30);
    auto options = env.options();
    options.first_list_wait = milliseconds(100);
    RunningSource running(env, options);
    REQUIRE((co_await running.source.discover()).error() == base::Errc::timed_out);
    REQUIRE_FALSE(running.source.last_known().is_known);
    REQUIRE((co_await running.source.discover()).error() == base::Errc::timed_out);
    env.server.knobs.delay = milliseconds(20);  // slow, not silent
    REQUIRE(co_await eventually([&] { return running.source.last_known().is_known; }));
    co_await running.stop();
  });
}

TEST_CASE("a token that expired is read again, at once and once", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    REQUIRE(
        co_await eventually([&] { return env.server.watch_count() == 1 && env.server.count_asked("review") == 4; }));
    // The file is swapped first, as the kubelet does it: one refused request is all that is seen.
    env.folder.write("token", "token-2");
    env.server.token = "token-2";
    env.server.end_watches();
    REQUIRE(co_await eventually([&] { return env.server.refused_count == 1 && env.server.watch_count() == 1; }));
    REQUIRE(running.source.last_known().last_error.empty());
    // Expired without a new one: back-off, nothing is lost, and it heals when the file changes.
    env.server.token = "token-3";
    env.server.drop_connections();
    REQUIRE(co_await eventually([&] { return env.server.refused_count >= 5; }));
    REQUIRE(running.names() == Names{"whitewater-0"});
    REQUIRE(running.source.last_known().last_error.find("401") != std::string::npos);
    env.folder.write("token", "token-3");
    REQUIRE(co_await eventually([&] { return env.server.watch_count() == 1; }));
    REQUIRE(co_await eventually([&] { return running.source.last_known().last_error.empty(); }));
    for (const auto& line : env.log.lines) REQUIRE(line.find("token-") == std::string::npos);
    co_await running.stop();
  });
}

TEST_CASE("another authority's certificate is refused until the CA bundle follows", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    const TestAuthority other("other-authority");
    env.server.use_certificate(other, "IP:127.0.0.1");
    env.server.drop_connections();
    REQUIRE(
        co_await eventually([&] { return running.source.last_known().last_error.find("TLS") != std::string::npos; }));
    env.add(1);
    env.folder.write("ca.crt", env.server.authority().certificate_pem() + other.certificate_pem());
    REQUIRE(co_await eventually([&] { return running.names().size() == 2; }));
    co_await running.stop();
  });
}

TEST_CASE("a certificate for another address or name is refused, with the reason", "[kubernetes]") {
  with_api_server(
      [](ApiEnv env) -> net::Awaitable<void> {
        env.add(0);
        KubernetesSource source(env.executor, env.options(), base::Rng(1), env.log);
        REQUIRE((co_await source.discover()).error() == base::Errc::connection_lost);
        INFO(source.last_known().last_error);
        REQUIRE(source.last_known().last_error.find("mismatch") != std::string::npos);
        auto options = env.options();
        options.api.host = "localhost";  // the name is in the certificate
        KubernetesSource named(env.executor, options, base::Rng(1), env.log);
        REQUIRE((co_await named.discover()).has_value());
      },
      "127.0.0.1", "IP:10.96.0.1,DNS:localhost");
}

TEST_CASE("an API server with an IPv6 address is dialled, checked and named with brackets", "[kubernetes]") {
  with_api_server(
      [](ApiEnv env) -> net::Awaitable<void> {
        env.add(0);
        for (const auto* host : {"::1", "[::1]"}) {
          auto options = env.options();
          options.api.host = host;
          KubernetesSource source(env.executor, options, base::Rng(1), env.log);
          REQUIRE((co_await source.discover()).has_value());
          REQUIRE(env.server.requests.back().find("Host: [::1]:" + std::to_string(env.server.port())) !=
                  std::string::npos);
        }
      },
      "::1", "IP:::1");
}

TEST_CASE("what is missing in the pod is named", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    const auto error_with = [&](KubernetesSourceOptions options) -> net::Awaitable<std::string> {
      KubernetesSource source(env.executor, std::move(options), base::Rng(1), env.log);
      REQUIRE((co_await source.discover()).has_error());
      co_return source.last_known().last_error;
    };
    auto options = env.options();
    options.api.host.clear();
    REQUIRE((co_await error_with(options)).find("KUBERNETES_SERVICE_HOST") != std::string::npos);
    env.folder.remove("namespace");
    REQUIRE((co_await error_with(env.options())).find("no namespace") != std::string::npos);
    options = env.options();
    options.name_space = "default";  // the option needs no file
    env.folder.write("token", "");
    REQUIRE((co_await error_with(options)).find("token") != std::string::npos);
    env.folder.write("ca.crt", "not a certificate");
    REQUIRE((co_await error_with(options)).find("ca.crt") != std::string::npos);
  });
}

TEST_CASE("a selector that matches nobody takes nothing away and says so", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).error() == base::Errc::not_found);
    REQUIRE(running.source.last_known().last_error == "no pod with app=whitewater has an address");
    env.add(0);
    REQUIRE(co_await eventually([&] { return running.names() == Names{"whitewater-0"}; }));
    co_await running.stop();
  });
}

TEST_CASE("a missing verb is named in the log and for doctor, and is gone once it is granted", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.server.knobs.forbidden = {"watch pods", "get statefulsets.apps whitewater"};
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());  // the list alone works
    REQUIRE(co_await eventually([&] { return !running.source.problems().empty(); }));
    const auto expected = std::string(
        "the service account may not watch pods in namespace default; next step: a Role "
        "with the verb \"watch\" on pods, and a RoleBinding to this service account");
    REQUIRE(running.source.problems() == Names{expected});  // the StatefulSet is used where granted, not asked for
    REQUIRE(env.log.has(expected));
    REQUIRE(running.source.access().size() == 4);
    REQUIRE(running.source.access()[0].is_allowed == true);
    REQUIRE(running.source.access()[2].is_allowed == false);
    // Without a watch the list is repeated: slower, but not blind.
    env.add(1);
    REQUIRE(co_await eventually([&] { return running.names().size() == 2; }));
    REQUIRE(co_await eventually([&] { return env.server.count_asked("watch") >= 4; }));
    const std::string refused = "watch pods: HTTP 403; the list is repeated instead";
    REQUIRE(std::count(env.log.lines.begin(), env.log.lines.end(), refused) == 1);
    REQUIRE(running.source.last_known().last_error.empty());  // the list is good
    REQUIRE_FALSE(running.source.last_known().is_stale);
    env.server.knobs.forbidden.clear();
    REQUIRE(co_await eventually([&] { return running.source.problems().empty() && env.server.watch_count() == 1; }));
    co_await running.stop();
  });
}

TEST_CASE("a verb that is taken away from a running source is named too", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    REQUIRE(
        co_await eventually([&] { return env.server.watch_count() == 1 && env.server.count_asked("review") == 4; }));
    REQUIRE(running.source.problems().empty());
    env.server.knobs.forbidden = {"list pods", "watch pods"};
    env.server.end_watches();
    REQUIRE(co_await eventually([&] { return running.source.problems().size() == 2; }));
    REQUIRE(running.source.problems()[0].find("may not list pods") != std::string::npos);
    REQUIRE(running.names() == Names{"whitewater-0"});
    env.server.knobs.forbidden.clear();
    REQUIRE(co_await eventually([&] { return running.source.problems().empty() && env.server.watch_count() == 1; }));
    co_await running.stop();
  });
}

TEST_CASE("the own StatefulSet's replicas are read where that is granted", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    KubernetesSource source(env.executor, env.options(), base::Rng(1), env.log);
    REQUIRE_FALSE((co_await source.replicas()).has_value());  // 404
    env.server.replicas = 5;
    REQUIRE(co_await source.replicas() == 5U);  // by the pod's name
    (void)co_await source.discover();
    env.server.replicas = 3;
    REQUIRE(co_await source.replicas() == 3U);  // by the pod's owner
    env.server.knobs.forbidden = {"get statefulsets.apps whitewater"};
    REQUIRE_FALSE((co_await source.replicas()).has_value());
    env.server.go_away();
    REQUIRE_FALSE((co_await source.replicas()).has_value());
    auto options = env.options();
    options.own_name = "whitewater-7d9f-x2x";  // a Deployment's pod
    KubernetesSource other(env.executor, options, base::Rng(1), env.log);
    REQUIRE_FALSE((co_await other.replicas()).has_value());
  });
}

TEST_CASE("the refresher tells its listeners of a new pod at once", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    RefreshOptions refresh;
    refresh.formed_min = refresh.looking_min = refresh.looking_max = seconds(100);  // only news can wake it
    refresh.looking_cap = seconds(100);
    std::vector<std::size_t> sizes;
    {
      PeerRefresher refresher(env.executor, running.source, refresh, base::Rng(1), env.log);
      refresher.add_listener([&sizes](const PeerSet& set) { sizes.push_back(set.peers.size()); });
      net::TaskGroup tasks(env.executor);
      tasks.spawn(refresher.run());
      const bool is_first = co_await eventually([&] { return !sizes.empty() && sizes.back() == 1; });
      env.add(1);
      const bool is_second = co_await eventually([&] { return sizes.back() == 2; });
      tasks.cancel();
      co_await tasks.join();
      REQUIRE(is_first);
      REQUIRE(is_second);
    }
    env.add(2);  // nobody listens any more
    REQUIRE(co_await eventually([&] { return running.names().size() == 3; }));
    co_await running.stop();
  });
}

TEST_CASE("the role is a label of the own pod where that is granted, written once for each change", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.add(1);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    const auto role = [&] { return env.server.store.pods().at("whitewater-0").role; };
    running.source.set_role("follower");
    REQUIRE(co_await eventually([&] { return role() == "follower"; }));
    for (int i = 0; i < 10; ++i) running.source.set_role("leader");
    REQUIRE(co_await eventually([&] { return role() == "leader"; }));
    REQUIRE(env.server.store.pods().at("whitewater-1").role.empty());
    REQUIRE(env.server.count_asked("patch") == 2);
    REQUIRE(env.log.has("this pod has the label whitewater.io/role=leader now"));
    co_await running.stop();
  });
}

TEST_CASE("without the verb patch no label is written, and nothing is called a problem", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.server.knobs.forbidden = {"patch pods whitewater-0"};
    RunningSource running(env, env.options());
    running.source.set_role("leader");
    REQUIRE((co_await running.source.discover()).has_value());
    REQUIRE(co_await eventually([&] { return !running.source.access().empty(); }));
    co_await net::sleep_for(milliseconds(50));
    REQUIRE(env.server.count_asked("patch") == 0);
    REQUIRE(running.source.problems().empty());
    co_await running.stop();
  });
}

TEST_CASE("a label waits for an API server that is away, and is not given to another pod of the name", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    RunningSource running(env, env.options());
    REQUIRE((co_await running.source.discover()).has_value());
    REQUIRE(co_await eventually([&] { return !running.source.access().empty(); }));
    env.server.knobs.status_of["patch"] = 503;
    running.source.set_role("leader");
    REQUIRE(co_await eventually([&] { return env.server.count_asked("patch") > 0; }));
    REQUIRE(co_await eventually([&] { return env.log.has("the label of this pod could not be written"); }));
    env.server.knobs.status_of.clear();
    REQUIRE(co_await eventually([&] { return env.server.store.pods().at("whitewater-0").role == "leader"; }));
    const auto count = env.server.count_asked("patch");
    env.server.knobs.status_of["watch"] = 503;  // the heir stays unknown
    env.server.knobs.status_of["list"] = 503;
    env.server.end_watches();
    env.add(0, "uid-0b");
    running.source.set_role("follower");
    REQUIRE(co_await eventually([&] { return env.server.count_asked("patch") > count; }));
    co_await net::sleep_for(milliseconds(20));
    REQUIRE(env.server.store.pods().at("whitewater-0").role.empty());
    co_await running.stop();
  });
}
