#include "load/check.hpp"

#include <algorithm>

namespace whitewater::bench {
namespace {

constexpr std::size_t page_bytes = 1UL << 20;
constexpr std::size_t page_keys_max = 1000;

class Check {
 public:
  explicit Check(const Record& record) : record_(record), tail_(record.writes.tail()) {}

  // What of the acknowledged ones in [cursor, number) has not been seen is lost.
  void pass_to(std::uint64_t number) {
    for (; cursor_ < std::min<std::uint64_t>(number, record_.revisions.size()); ++cursor_) {
      if (is_acknowledged(cursor_)) note_lost(cursor_);
    }
  }

  void on_pair(const KeyValue& pair) {
    std::uint64_t number = 0;
    if (!number_of_key(record_.writes, pair.key, number) || number < cursor_) return;
    pass_to(number);
    if (cursor_ != number || !is_acknowledged(number)) return;  // one whose outcome was unknown
    ++cursor_;
    if (pair.value != record_.writes.head_of(number) + tail_) return note_lost(number);
    ++result_.acknowledged;
    ++result_.found;
    if (pair.mod_revision != record_.revisions[number]) ++result_.other_revision_count;
  }

  [[nodiscard]] std::uint64_t cursor() const { return cursor_; }
  [[nodiscard]] const CheckResult& result() const { return result_; }

 private:
  [[nodiscard]] bool is_acknowledged(std::uint64_t number) const {
    return number < record_.revisions.size() && record_.revisions[number] != Record::not_acknowledged;
  }
  void note_lost(std::uint64_t number) {
    ++result_.acknowledged;
    ++result_.lost_count;
    if (result_.lost.size() < lost_listed_max) result_.lost.push_back(record_.writes.key_of(number));
  }

  const Record& record_;
  std::string tail_;
  std::uint64_t cursor_ = 0;
  CheckResult result_;
};

}  // namespace

CheckResult check_record(const Record& record, const ReadRange& read,
                         const std::function<void(std::uint64_t checked)>& on_page) {
  const Writes& writes = record.writes;
  const std::size_t limit = std::clamp<std::size_t>(page_bytes / (writes.value_bytes * 4 / 3 + 200), 1, page_keys_max);
  Check check(record);
  // Windows of numbers, since etcd counts the whole range for every page of it.
  for (std::uint64_t from = 0; from < record.revisions.size(); from += limit) {
    const std::uint64_t to = from + limit;
    std::string next = writes.key_of(from);
    while (true) {
      const Page page = read(next, writes.key_of(to), limit);
      for (const KeyValue& pair : page.pairs) check.on_pair(pair);
      if (!page.has_more || page.pairs.empty()) break;
      next = page.pairs.back().key + '\0';
    }
    check.pass_to(to);
    if (on_page) on_page(check.result().acknowledged);
  }
  return check.result();
}

}  // namespace whitewater::bench
