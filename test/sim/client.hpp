// SimClient: one client with one request at a time. It talks to a random member, gives up after its own time-out, and
// tries again elsewhere only what was certainly not applied. Every request that may have taken effect is in the
// history. Owned by the cluster.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "sim/history.hpp"
#include "sim/member.hpp"

namespace whitewater::sim {

struct ClientStats {
  std::uint64_t answered = 0;
  std::uint64_t unknown = 0;
  std::uint64_t refused = 0;  // given up, certainly not applied
  std::uint64_t retries = 0;
  std::uint64_t writes_after_heal = 0;  // answered, begun after heal()
};

class SimClient {
 public:
  SimClient(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, std::uint32_t number, base::Rng rng,
            Value& next_value, History& history);

  void start();
  // Begins nothing new.
  void stop() { is_stopped_ = true; }
  void heal() { is_healed_ = true; }
  [[nodiscard]] bool is_idle() const { return !current_; }
  [[nodiscard]] const ClientStats& stats() const { return stats_; }

 private:
  struct Request {
    std::uint64_t number;                // answers to an older one are late
    std::optional<ClientRecord> record;  // nothing: a compaction, which no checker asks about
    std::string command;                 // empty: a get
    bool may_be_applied = false;
    bool is_after_heal = false;
  };

  void begin();
  void begin_later();
  void attempt();
  [[nodiscard]] SimMember& draw_member();
  void attempt_later();
  void send_write(SimMember& member);
  void send_read(SimMember& member);
  void on_refusal(std::uint64_t number, boost::system::error_code error);
  void on_write_answer(std::uint64_t number, const WriteAnswer& answer);
  void on_read_answer(std::uint64_t number, const ReadAnswer& answer, const std::optional<kv::RangeResult>& result);
  void on_timeout(std::uint64_t number);
  void record_write(const kv::CommandResponse& response);
  void record_read(const kv::RangeResult& result);
  void finish_unknown();
  void finish();
  [[nodiscard]] Request draw_request();
  [[nodiscard]] kv::Revision draw_past_revision();
  [[nodiscard]] kv::Command make_command(Operation& op);
  [[nodiscard]] std::string text_of(Value value) const;
  [[nodiscard]] bool is_current(std::uint64_t number) const { return current_ && current_->number == number; }
  [[nodiscard]] base::Duration draw_hop();
  [[nodiscard]] std::uint64_t now_ns() const { return static_cast<std::uint64_t>(world_.scheduler.now().count()); }

  SimWorld& world_;
  std::vector<std::unique_ptr<SimMember>>& members_;
  std::uint32_t number_;
  base::Rng rng_;
  Value& next_value_;
  History& history_;
  std::optional<Request> current_;
  std::uint64_t next_request_ = 1;
  kv::Revision newest_revision_ = 1;
  std::map<std::uint32_t, Value> last_seen_;  // by key: what a compare-and-swap expects
  bool is_stopped_ = false;
  bool is_healed_ = false;
  ClientStats stats_;
};

}  // namespace whitewater::sim
