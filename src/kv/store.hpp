// Store: the replicated state machine. Applies commands of the Raft log in order and answers reads at any revision
// since the last compaction, with etcd's semantics. Owned by the replica, single-threaded, deterministic: the same log
// gives the same responses, revisions and hash() on every member. Does not talk to clients, does not wait, and has no
// clock; leases and watches are not in it.
//
// Three indexes, each at most the one before:
//   applied_index()          visible to reads; may run ahead of this member's own log (a leader applies what its
//   followers
//                            hold durably before its own write has ended)
//   persisted_index()        in the backend; never past what persist_upto() was told is durable in this member's log
//   durable_applied_index()  flushed by the backend: survives a power cut, the log may be released up to here
// Between the first two a record lives in an overlay in memory that reads see.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "kv/backend.hpp"
#include "kv/types.hpp"

namespace whitewater::kv {

class CompactionWalk;
class KeyIndex;
class RecordOverlay;
class SnapshotReader;

using ReadTxnResult = std::variant<ErrorCode, TxnResponse>;

// While the overlay is larger, persist_upto() waits for a busy backend instead of leaving records in memory.
inline constexpr std::size_t overlay_bytes_max = 64UL << 20;
// Bytes of records that persist_upto() writes in one atomic group.
inline constexpr std::size_t persist_group_bytes_max = 4UL << 20;

// Since this process began; what a transaction does is counted too. As etcd's metrics count.
struct StoreCounters {
  std::uint64_t puts = 0;
  std::uint64_t deletes = 0;  // keys deleted
  std::uint64_t ranges = 0;
  std::uint64_t txns = 0;
  std::uint64_t put_bytes = 0;  // keys and values
};

struct StoreSize {
  std::uint64_t keys = 0;           // alive now
  std::uint64_t overlay_bytes = 0;  // applied and not yet persisted
  BackendSize backend;
};

class Store {
 public:
  // Rebuilds the index from the backend's records. Throws base::FatalError (corrupt) when they do not make sense.
  explicit Store(std::unique_ptr<Backend> backend);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] Index applied_index() const;
  [[nodiscard]] Index persisted_index() const;
  [[nodiscard]] Index durable_applied_index() const;  // any thread
  [[nodiscard]] Revision current_revision() const;
  [[nodiscard]] Revision compact_revision() const;  // -1: never compacted

  // The next entry of the log, `index` == applied_index() + 1. A command that does not decode is answered with
  // malformed_command on every member alike. A command that fails has no effect but the applied index.
  [[nodiscard]] CommandResponse apply(Index index, std::string_view encoded_command);
  // The same for an entry that is not a command (no-op, configuration).
  void advance(Index index);
  // The same for a configuration entry: its payload is kept with the records, because the log entry will be released.
  void set_configuration(Index index, std::string_view encoded);
  // As last applied; empty before the first one.
  [[nodiscard]] std::string_view configuration() const { return configuration_.view(); }

  // Reads at applied_index(). The request has passed check_request; errors: compacted, future_revision.
  [[nodiscard]] RangeResult range(const RangeRequest& request) const;
  // `request` is_read_only(). Errors: compacted, future_revision.
  [[nodiscard]] ReadTxnResult read_txn(const TxnRequest& request) const;

  // Everything up to `durable` is durable in this member's own log: moves what is applied up to there into the backend.
  // Leaves it for the next call while the backend is busy, up to overlay_bytes_max.
  void persist_upto(Index durable);
  // Starts a flush; durable_applied_index() reaches the present persisted_index() when it is done.
  void flush_async();
  // Flushes and waits: for shutdown.
  void flush();

  // The store as it is at persisted_index(), to be sent to another member (kv/snapshot.hpp). The store goes on
  // meanwhile; it outlives the reader.
  [[nodiscard]] std::unique_ptr<SnapshotReader> open_snapshot() const;

  // Removes up to about `max_records` obsolete records of a persisted compaction; true while more are left. Bounded
  // work, to be called between other things.
  bool compact_step(std::size_t max_records);
  // Compactions up to this revision have removed their records (what `physical` waits for); -1: none.
  [[nodiscard]] Revision physically_compacted_revision() const;

  // Of the logical content: revisions, and every record that a read can reach. Independent of physical compaction, of
  // the overlay and of the backend. Reads every record: for checks, not for the hot path.
  [[nodiscard]] std::uint64_t hash() const;
  [[nodiscard]] StoreSize size() const;
  [[nodiscard]] const StoreCounters& counters() const { return counters_; }
  // Test hook: the index's own invariants; aborts when one is broken.
  void check_invariants() const;

 private:
  friend class SnapshotWriter;
  // With the index of the backend's records, built already.
  Store(std::unique_ptr<Backend> backend, std::unique_ptr<KeyIndex> index);

  CommandResponse execute(const Command& command);
  CommandResponse execute_put(const PutRequest& request);
  CommandResponse execute_delete(const DeleteRangeRequest& request);
  CommandResponse execute_txn_command(const TxnRequest& request);
  CommandResponse execute_compaction(const CompactionRequest& request);
  void rebuild_index();

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<KeyIndex> index_;
  std::unique_ptr<RecordOverlay> overlay_;
  Index applied_;
  Revision current_ = 1;
  Revision compacted_ = -1;
  base::SharedBytes configuration_;
  mutable StoreCounters counters_;        // reads count, too
  std::unique_ptr<CompactionWalk> walk_;  // while records of a compaction are being removed
};

}  // namespace whitewater::kv
