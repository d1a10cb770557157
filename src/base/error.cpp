#include "base/error.hpp"

namespace whitewater::base {
namespace {

class Category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "whitewater"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::no_leader:
        return "no leader";
      case Errc::not_leader:
        return "not leader";
      case Errc::leader_changed:
        return "leader changed";
      case Errc::too_many_requests:
        return "too many requests";
      case Errc::request_too_large:
        return "request is too large";
      case Errc::timed_out:
        return "request timed out";
      case Errc::dropped:
        return "proposal lost in a change of leader";
      case Errc::stopped:
        return "server stopped";
      case Errc::no_space:
        return "no space left in the log's budget";
      case Errc::malformed:
        return "malformed bytes";
      case Errc::checksum_mismatch:
        return "checksum mismatch";
      case Errc::unsupported_version:
        return "unsupported version";
      case Errc::limit_exceeded:
        return "limit exceeded";
      case Errc::wrong_cluster:
        return "peer belongs to another cluster";
      case Errc::wrong_receiver:
        return "message meant for another member";
      case Errc::stale_incarnation:
        return "older incarnation of the member";
      case Errc::cancelled:
        return "cancelled";
      case Errc::connection_lost:
        return "connection lost";
      case Errc::self_connection:
        return "dialled this very member";
      case Errc::change_in_progress:
        return "another membership change is in progress";
      case Errc::learner_not_ready:
        return "the learner has not caught up with the leader yet";
      case Errc::member_exists:
        return "member already exists";
      case Errc::member_not_found:
        return "member not found";
      case Errc::not_needed:
        return "the receiver has it already";
      case Errc::no_voters:
        return "the change would leave no voting member";
      case Errc::quorum_at_risk:
        return "the change would leave no majority of members that answer; bring the silent ones back first";
      case Errc::out_of_order:
        return "part of a transfer out of order";
      case Errc::not_found:
        return "not found";
    }
    return "unknown error";
  }
};

}  // namespace

const boost::system::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

bool is_outcome_unknown(boost::system::error_code code) noexcept {
  return code == Errc::timed_out || code == Errc::dropped || code == Errc::stopped;
}

}  // namespace whitewater::base
