#include "discovery/bootstrap_loop.hpp"

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;

namespace {

// What a meta record that already decided says, for a restarted member.
std::optional<BootstrapOutcome> outcome_of(const BootstrapMeta& meta) {
  if (meta.state != MemberState::member) return std::nullopt;
  if (const auto set = decode_founder_set(meta.founders); set && !meta.founders.empty()) {
    return Found{meta.cluster_id, configuration_of(*set)};
  }
  return Join{meta.cluster_id, {}};
}

}  // namespace

BootstrapLoop::BootstrapLoop(net::Executor executor, BootstrapOptions options, BootstrapMeta meta,
                             BootstrapTransport& transport, MetaStore& store, base::LogSink& log)
    : executor_(executor),
      fsm_(std::move(options), meta, net::now()),
      transport_(transport),
      store_(store),
      log_(log),
      tasks_(executor),
      timer_(executor),
      decided_(executor),
      outcome_(outcome_of(meta)) {}

net::Awaitable<void> BootstrapLoop::run() {
  tasks_.spawn(tick_task());
  report_status();
  // Whoever still waits for an answer is told when this ends, however it ends.
  struct Stop {
    BootstrapLoop& loop;
    ~Stop() {
      loop.is_stopped_ = true;
      for (auto& [id, waiter] : loop.waiters_) waiter->answered.notify();
    }
  };
  const Stop stop{*this};
  co_await tasks_.join();
}

net::Awaitable<BootstrapOutcome> BootstrapLoop::outcome() {
  while (!outcome_) co_await decided_.wait();
  co_return *outcome_;
}

net::Awaitable<Result<std::string>> BootstrapLoop::answer(std::string payload) {
  const auto request = decode_bootstrap_request(payload);
  if (!request) co_return request.error();
  if (is_stopped_) co_return Errc::stopped;
  if (const auto* goodbye = std::get_if<Goodbye>(&*request)) {
    if (!goodbye_handler_) co_return Errc::not_needed;
    co_return encode(BootstrapReply(co_await goodbye_handler_(*goodbye)));
  }
  if (waiters_.size() >= bootstrap_requests_max) co_return Errc::too_many_requests;
  const auto id = next_request_id_++;
  const auto waiter = std::make_shared<Waiter>(executor_);
  waiters_.emplace(id, waiter);
  struct Forget {
    BootstrapLoop& loop;
    std::uint64_t id;
    ~Forget() { loop.waiters_.erase(id); }
  };
  const Forget forget{*this, id};
  fsm_.on_request(net::now(), id, *request);
  pump();
  while (waiter->reply.empty() && !is_stopped_) co_await waiter->answered.wait();
  if (waiter->reply.empty()) co_return Errc::stopped;
  co_return std::move(waiter->reply);
}

void BootstrapLoop::on_peers(const PeerSet& peers) {
  fsm_.on_peers(net::now(), peers);
  pump();
}

void BootstrapLoop::on_replicas(std::uint32_t replicas) {
  if (!fsm_.on_expect_stated(net::now(), replicas)) return;
  log_.info("bootstrap", "the StatefulSet states the number of founders", {{"expect", replicas}});
  pump();
}

void BootstrapLoop::on_cluster_view(ClusterView view) {
  const auto before = fsm_.next_tick();
  fsm_.on_cluster_view(std::move(view));
  if (fsm_.next_tick() != before) timer_.cancel();
}

void BootstrapLoop::on_member_heard(base::ClusterId cluster_id, const std::string& name, const std::string& advertise) {
  fsm_.on_member_heard(net::now(), cluster_id, name, advertise);
  pump();
}

void BootstrapLoop::pump() {
  for (auto& action : fsm_.take_actions()) perform(std::move(action));
  report_status();
  timer_.cancel();  // the next tick may be earlier now
}

void BootstrapLoop::report_status() {
  auto text = describe(fsm_.status());
  if (text == last_logged_) return;
  if (fsm_.status().phase == BootstrapPhase::refused) {
    log_.error("bootstrap", text);
  } else if (!fsm_.status().other_cluster.is_zero()) {
    log_.warn("bootstrap", text);
  } else {
    log_.info("bootstrap", text);
  }
  last_logged_ = std::move(text);
}

void BootstrapLoop::perform(BootstrapAction action) {
  if (auto* send = std::get_if<SendExchange>(&action)) {
    tasks_.spawn(exchange_task(std::move(*send)));
  } else if (auto* persist = std::get_if<Persist>(&action)) {
    tasks_.spawn(persist_task(std::move(*persist)));
  } else if (auto* reply = std::get_if<SendReply>(&action)) {
    const auto it = waiters_.find(reply->id);
    if (it == waiters_.end()) return;  // whoever asked went away
    it->second->reply = encode(reply->reply);
    it->second->answered.notify();
  } else if (auto* found = std::get_if<Found>(&action)) {
    WW_ASSERT(!outcome_);
    outcome_ = std::move(*found);
    decided_.notify();
  } else if (auto* join = std::get_if<Join>(&action)) {
    WW_ASSERT(!outcome_);
    outcome_ = std::move(*join);
    decided_.notify();
  } else if (const auto* seen = std::get_if<PeerSeen>(&action)) {
    if (observer_) observer_(seen->info);
  } else if (std::holds_alternative<Orphaned>(action)) {
    if (orphaned_handler_) orphaned_handler_();
  }
  // A Refuse is in the status, which report_status prints.
}

net::Awaitable<void> BootstrapLoop::exchange_task(SendExchange action) {
  const auto payload = co_await transport_.exchange(action.address, encode(action.request));
  const auto reply = payload ? decode_bootstrap_reply(*payload) : Result<BootstrapReply>(payload.error());
  if (reply) {
    fsm_.on_reply(net::now(), action.id, *reply);
  } else if (reply.error() == base::Errc::self_connection) {
    fsm_.on_reached_itself(net::now(), action.id);
  } else {
    fsm_.on_exchange_failed(net::now(), action.id, reply.error().message());
  }
  pump();
}

net::Awaitable<void> BootstrapLoop::persist_task(Persist action) {
  co_await store_.persist(std::move(action.meta));
  fsm_.on_persisted(net::now(), action.id);
  pump();
}

net::Awaitable<void> BootstrapLoop::tick_task() {
  // Without a tick to come only requests and peers matter; both end in pump(), which cuts this wait short.
  constexpr auto idle = base::seconds(3600);
  while (true) {
    const auto now = net::now();
    const auto next = fsm_.next_tick();
    if (next && *next <= now) {
      fsm_.on_tick(now);
      pump();
    }
    const auto due = fsm_.next_tick();
    const auto delay = due ? std::max(*due - net::now(), base::Duration(0)) : base::Duration(idle);
    timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay));
    // Throws when this task is cancelled: the awaitable checks before the next wait.
    co_await timer_.async_wait(net::as_result);
  }
}

}  // namespace whitewater::discovery
