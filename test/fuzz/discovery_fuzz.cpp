// What members hear before there is a cluster: bootstrap messages, sets of founders, DNS answers and what a Kubernetes
// API server sends. The first byte chooses.
#include "discovery/bootstrap_messages.hpp"
#include "discovery/dns_answer.hpp"
#include "discovery/kubernetes_request.hpp"
#include "discovery/kubernetes_watch_fsm.hpp"
#include "fuzz/fuzz.hpp"

namespace whitewater::fuzz {
namespace {

using namespace discovery;

template <class Decode>
void check(std::string_view bytes, const Decode& decode) {
  const auto value = decode(bytes);
  if (value) WW_ASSERT_MSG(encode(*value) == bytes, "what decodes encodes to the same bytes");
}

void check_answer(std::string_view bytes) {
  const auto answer = decode_srv_answer(bytes);
  if (answer) WW_ASSERT(answer->peers.size() <= dns_records_max);
}

void check_pod(const Pod& pod) {
  WW_ASSERT(is_host_valid(pod.name));
  WW_ASSERT(!pod.uid.empty());
  WW_ASSERT(pod.ip.empty() || is_ip_literal(pod.ip));
}

// The page that the bytes are, and then the events that its lines are, as one server sends them.
void check_pod_list(std::string_view bytes) {
  KubernetesWatchFsm fsm({}, base::Rng(1));
  const auto end = bytes.find('\n');
  const auto page = decode_pod_page(bytes.substr(0, end), "raft");
  if (!page) return;
  for (const auto& pod : page->pods) check_pod(pod);
  (void)fsm.on_page(*page);
  if (end != std::string_view::npos) bytes.remove_prefix(end + 1);
  while (fsm.is_watching() && !bytes.empty()) {
    const auto event = decode_watch_event(bytes.substr(0, bytes.find('\n')), "raft");
    bytes.remove_prefix(std::min(bytes.size(), std::min(bytes.find('\n'), bytes.size() - 1) + 1));
    if (event) (void)fsm.on_event(*event);
  }
  WW_ASSERT(fsm.pods().pods().size() <= kubernetes_pods_max);
  WW_ASSERT(candidates_of(fsm.pods(), 8090).size() <= candidates_max);
}

void check_watch_event(std::string_view bytes) {
  const auto event = decode_watch_event(bytes, "raft");
  if (!event || event->type == WatchEvent::Type::error) return;
  WW_ASSERT(!event->resource_version.empty());
  if (event->type != WatchEvent::Type::bookmark) check_pod(event->pod);
}

void check_answers(std::string_view bytes) {
  (void)decode_access_review(bytes);
  (void)decode_replicas(bytes);
  WW_ASSERT(!describe_failure(500, bytes).empty());
}

// www-0.ww.test, port 2380, as a server says it.
std::string srv_answer() {
  const auto name = [](std::string_view label) { return std::string(label) + std::string("\2ww\4test\0", 9); };
  const std::string head("\0\1\x81\x80\0\1\0\1\0\0\0\0", 12);
  const std::string target = name("\5www-0");
  const std::string question = name("\5_peer") + std::string("\0\41\0\1", 4);
  const std::string record = std::string("\xc0\x0c\0\41\0\1\0\0\0\36\0", 11) + static_cast<char>(6 + target.size()) +
                             std::string("\0\0\0\0\x09\x4c", 6) + target;
  return head + question + record;
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  const std::uint8_t kind = choices.u8() % 7;
  const std::string_view bytes = choices.rest();
  if (kind == 0) check(bytes, decode_bootstrap_request);
  if (kind == 1) check(bytes, decode_bootstrap_reply);
  if (kind == 2) check(bytes, decode_founder_set);
  if (kind == 3) check_answer(bytes);
  if (kind == 4) check_pod_list(bytes);
  if (kind == 5) check_watch_event(bytes);
  if (kind == 6) check_answers(bytes);
}

std::vector<std::string> fuzz_seeds() {
  using base::NodeId;
  FounderSet set{"token", 3, {{"ww-0", NodeId(5), "ww-0.ww:2380"}, {"ww-1", NodeId(6), "ww-1.ww:2380"}}};
  PeerInfo info;
  info.name = "ww-0";
  info.node_id = NodeId(5);
  info.token = "token";
  info.advertise = "ww-0.ww:2380";
  info.members = {{NodeId(5), "ww-0.ww:2380"}};
  const std::string pod =
      R"("metadata":{"name":"ww-0","uid":"u","resourceVersion":"7","deletionTimestamp":"2025-01-01T00:00:00Z",)"
      R"("ownerReferences":[{"kind":"StatefulSet","name":"ww","controller":true}]},"spec":{"containers":[{"ports":)"
      R"([{"name":"raft","containerPort":8090}]}]},"status":{"phase":"Running","podIP":"10.0.0.1","conditions":)"
      R"([{"type":"Ready","status":"True"}]})";
  const std::string pod_list = R"({"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{)" + pod + "}]}";
  const std::string pod_event = R"({"type":"ADDED","object":{)" + pod + "}}";
  const std::string bookmark = R"({"type":"BOOKMARK","object":{"metadata":{"name":null,"resourceVersion":"9"}}})";
  const auto request = [](BootstrapRequest value) { return std::string(1, '\0') + encode(value); };
  return {request(Hello{info}),
          request(Prepare{NodeId(5), NodeId(6), set}),
          request(Commit{NodeId(5), NodeId(6), 9, base::ClusterId(8)}),
          request(Abort{NodeId(5), NodeId(6), 9, 3}),
          request(Goodbye{NodeId(5), {{NodeId(5), base::Incarnation(2), true}}}),
          "\1" + encode(BootstrapReply(HelloReply{info})),
          "\1" + encode(BootstrapReply(Ack{NodeId(6), false, MemberState::fresh, 9, base::ClusterId(8), "no"})),
          "\2" + encode(set),
          "\3" + srv_answer(),
          "\4" + pod_list + "\n" + pod_event + "\n" + bookmark,
          "\5" + pod_event,
          "\5" + bookmark,
          "\5"
          R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}})",
          "\6"
          R"({"kind":"SelfSubjectAccessReview","status":{"allowed":true}})",
          "\6"
          R"({"kind":"StatefulSet","spec":{"replicas":5}})",
          "\6"
          R"({"kind":"Status","code":403,"reason":"Forbidden","message":"pods is forbidden"})"};
}

}  // namespace whitewater::fuzz
