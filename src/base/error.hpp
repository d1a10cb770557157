// The three kinds of error (design: never mixed). Refusals are values: Result<T> with an Errc. Failures of the
// environment (disk, corrupt log, wrong data directory) are a FatalError exception that main() turns into one clear
// line and a distinct exit code. Bugs are WW_ASSERT. Pure code throws nothing.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace whitewater::base {

// Why a request was refused, or why its outcome is not known. `is_outcome_unknown` tells the two apart.
enum class Errc {
  no_leader = 1,        // no leader is known; nothing was proposed
  not_leader,           // the receiver stopped being leader; nothing was appended
  leader_changed,       // a read round was cut by a change of leader; safe to retry
  too_many_requests,    // a bounded queue is full; nothing was proposed
  request_too_large,    // over the limit for one proposal
  timed_out,            // outcome unknown: the request may still be applied
  dropped,              // outcome unknown: the proposal was lost in a change of leader
  stopped,              // this member is shutting down
  no_space,             // the log's size budget is used up; writes are refused until space is freed
  malformed,            // bytes that do not decode
  checksum_mismatch,    // bytes whose checksum is wrong
  unsupported_version,  // a format or protocol newer than this binary
  limit_exceeded,       // a length over its stated bound
  wrong_cluster,        // a peer of another cluster
  wrong_receiver,       // a frame meant for another member
  stale_incarnation,    // an older run of the same member
  cancelled,            // the operation was cancelled
  connection_lost,      // the connection ended before an answer
  not_found,            // the name or record does not exist (DNS: never believed to mean "no peers")
  self_connection,      // the address that was dialled is this very member
  change_in_progress,   // another membership change is not committed yet, or nothing of this term is; try again
  learner_not_ready,    // the learner has not caught up with the leader yet
  member_exists,        // the member is in the configuration already, in that place
  member_not_found,     // the member is not in the configuration, or not in the place that the change names
  not_needed,           // the receiver has what was offered already
  no_voters,            // the change would leave nobody who votes
  out_of_order,         // a part of a transfer that does not follow on what came before it
  quorum_at_risk,       // the change would leave no majority of members that answer
};

const boost::system::error_category& error_category() noexcept;
inline boost::system::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

// True where the request may have taken effect although it was not answered.
[[nodiscard]] bool is_outcome_unknown(boost::system::error_code code) noexcept;

template <class T>
using Result = boost::system::result<T>;

// Exit codes of the server. 0 is a clean stop, 1 an unexpected failure, 2 bad usage (options, configuration file).
enum class ExitCode : int {
  ok = 0,
  failure = 1,
  usage = 2,
  data_directory = 3,  // not usable: permissions, read-only, locked, of another member, network file system
  corrupt = 4,         // the log or the store is damaged and refuses to guess
  newer_format = 5,    // written by a newer version
  disk = 6,            // an I/O error while running; never retried
  network = 7,         // the listen address is not usable
  superseded = 8,      // a newer incarnation of this member exists, or it was removed
};

class FatalError : public std::runtime_error {
 public:
  FatalError(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace whitewater::base

template <>
struct boost::system::is_error_code_enum<whitewater::base::Errc> : std::true_type {};
