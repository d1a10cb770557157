// Backend: where records are kept. The store (its user) owns one and calls it from one thread; only flushed_index() may
// be asked from any thread. A group is written atomically with its meta record, so that data and applied index never
// part. A backend keeps a prefix of the written groups over a crash, at least those that a flush has covered. It does
// not interpret records and does not order them against the log: the store calls write() only for what the log holds
// durably. Failures of the environment (I/O error, damage, newer format) leave as base::FatalError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "kv/record.hpp"

namespace whitewater::kv {

struct RecordWrite {
  RecordId id;
  std::string_view bytes;
};

// Erases name records that exist; an id is not in both lists.
struct WriteGroup {
  std::span<const RecordWrite> puts;  // ascending, newer than every record so far
  std::span<const RecordId> erases;
  StoreMeta meta;
};

enum class WriteMode : std::uint8_t {
  may_refuse,   // returns false instead of waiting for background work
  must_accept,  // waits
};

struct BackendSize {
  std::uint64_t total_bytes = 0;   // taken on disk and in write buffers
  std::uint64_t in_use_bytes = 0;  // of it, what is not garbage (an estimate)
};

// A backend as it was when the view was opened, for a reader that takes its time while writes, erases and flushes go
// on. Owned by whoever opened it, used on the backend's thread, and destroyed before the backend. What is erased
// meanwhile keeps its place on the disk until the view goes.
class BackendView {
 public:
  virtual ~BackendView() = default;

  [[nodiscard]] virtual StoreMeta meta() const = 0;
  // The records after `after` in ascending order (after RecordId{}: all), until `visit` returns false. Between calls
  // nothing is held but the view itself.
  virtual void for_each_after(RecordId after, const std::function<bool(RecordId, std::string_view)>& visit) const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // The meta record of the last group written (at open: of the last that survived).
  [[nodiscard]] virtual StoreMeta meta() const = 0;
  // Nothing was ever written: no record and no meta record.
  [[nodiscard]] virtual bool is_empty() const = 0;
  [[nodiscard]] virtual std::unique_ptr<BackendView> open_view() const = 0;
  // Every record in ascending order.
  virtual void for_each(const std::function<void(RecordId, std::string_view)>& visit) const = 0;
  // The bytes of every id in `ids`, each of which must exist; visited once each with its position, in any order.
  virtual void read(std::span<const RecordId> ids,
                    const std::function<void(std::size_t, std::string_view)>& visit) const = 0;
  // False: refused (only with may_refuse), nothing changed, try again later.
  [[nodiscard]] virtual bool write(const WriteGroup& group, WriteMode mode) = 0;

  // As write(), of records that no meta record speaks of yet (kv/snapshot.hpp). Only before the first write(), which
  // makes a store of them. Until then they are no store: opened again, they are refused as damaged.
  [[nodiscard]] virtual bool write_without_meta(std::span<const RecordWrite> puts, WriteMode mode) = 0;

  // Starts to make everything written so far durable; flushed_index() tells when it is. False: background work lags and
  // the flush is put off until after the next write; who writes no more asks again.
  virtual bool flush_async() = 0;
  // Returns when it is durable.
  virtual void flush() = 0;
  // meta().applied of the last group known to be durable: the log may be released up to here. Any thread.
  [[nodiscard]] virtual Index flushed_index() const = 0;
  [[nodiscard]] virtual BackendSize size() const = 0;
};

}  // namespace whitewater::kv
