// StoreSlots: which folder under the data directory holds the store. An installed snapshot is a new folder beside the
// old one, and a small record that names it makes the exchange: before it is durable the old store counts, afterwards
// the new one. The record also keeps where the snapshot ended, because the log begins anew behind it only a moment
// later, and a crash in between must be told from a lost log. Owned by the server; blocks for a sync or two in an
// exchange, else for nothing.
#pragma once

#include <optional>
#include <string>

#include "core/log_view.hpp"

namespace whitewater::server {

class StoreSlots {
 public:
  // Reads the record and removes the folders of stores that are not in use. Throws FatalError: disk, corrupt,
  // newer_format.
  explicit StoreSlots(std::string data_dir);

  [[nodiscard]] std::string active() const;
  // Where the snapshot ended that the active store was installed from: its last entry.
  [[nodiscard]] std::optional<core::TermRun> installed() const { return installed_; }

  // The folder for a store under construction; does not exist yet.
  [[nodiscard]] std::string fresh();
  // From here on, durably, `folder`, a result of fresh(), is the store.
  void activate(const std::string& folder, core::TermRun end);
  // A folder that fresh() gave or activate() left behind. A failure leaves it for the next start.
  static void remove(const std::string& folder);

 private:
  void read_record();
  void remove_unused() const;

  std::string data_dir_;
  std::string name_;  // of the active folder
  std::optional<core::TermRun> installed_;
  std::uint64_t next_ = 1;
};

}  // namespace whitewater::server
