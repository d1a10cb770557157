// The check of a record: every acknowledged write is read back by linearizable reads of bounded size. A write is lost
// when its key is missing or holds another value. One that is there at another revision than was acknowledged has been
// applied twice: it is counted apart.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "load/range_client.hpp"
#include "load/record.hpp"

namespace whitewater::bench {

inline constexpr std::size_t lost_listed_max = 20;

struct CheckResult {
  std::uint64_t acknowledged = 0;
  std::uint64_t found = 0;
  std::uint64_t lost_count = 0;
  std::uint64_t other_revision_count = 0;  // found, but at another revision
  std::vector<std::string> lost;           // keys, the first of them
};

using ReadRange = std::function<Page(const std::string& from, const std::string& to, std::size_t limit)>;

// `on_page` hears how many acknowledged writes were looked for so far. Throws what `read` throws.
[[nodiscard]] CheckResult check_record(const Record& record, const ReadRange& read,
                                       const std::function<void(std::uint64_t checked)>& on_page = {});

}  // namespace whitewater::bench
