#include "sim/network.hpp"

namespace whitewater::sim {

Network::Network(const SimOptions& options, Scheduler& scheduler, base::Rng rng, Deliver deliver)
    : options_(options),
      scheduler_(scheduler),
      rng_(rng),
      deliver_(std::move(deliver)),
      links_(member_count(options) * member_count(options)) {}

base::Duration Network::draw_delay() {
  constexpr std::uint64_t tail_factor_max = 50;
  std::uint64_t us = rng_.in_range(options_.delay_us_min, options_.delay_us_max);
  if (!is_healed_ && rng_.chance(options_.delay_tail_percent, 100)) us *= rng_.in_range(2, tail_factor_max);
  return base::microseconds(us);
}

void Network::send(std::size_t from, std::size_t to, const core::Message& message) {
  if (link(from, to).is_blocked) return;
  if (!is_healed_ && rng_.chance(options_.loss_per_mille, 1000)) return;
  schedule(from, to, message);
  const bool is_written_once = std::holds_alternative<core::ForwardedProposals>(message.body) ||
                               std::holds_alternative<core::ForwardedChange>(message.body) ||
                               std::holds_alternative<core::ForwardRejected>(message.body);
  if (!is_healed_ && !is_written_once && rng_.chance(options_.duplicate_per_mille, 1000)) schedule(from, to, message);
}

void Network::schedule(std::size_t from, std::size_t to, const core::Message& message) {
  Link& l = link(from, to);
  base::Duration arrival = scheduler_.now() + draw_delay();
  if (options_.is_reordering == 0) arrival = l.last_arrival = std::max(arrival, l.last_arrival + base::Duration(1));
  scheduler_.after(arrival - scheduler_.now(), [this, from, to, message, connection = l.connection] {
    const Link& now = link(from, to);
    if (now.connection == connection && !now.is_blocked) deliver_(to, message);
  });
}

void Network::break_connection(std::size_t a, std::size_t b) {
  ++link(a, b).connection;
  ++link(b, a).connection;
}

void Network::on_member_down(std::size_t member) {
  if (options_.is_outliving_restarts != 0) return;
  for (std::size_t from = 0; from < member_count(options_); ++from) ++link(from, member).connection;
}

void Network::heal() {
  is_healed_ = true;
  for (Link& l : links_) l.is_blocked = false;
}

}  // namespace whitewater::sim
