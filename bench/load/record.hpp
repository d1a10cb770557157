// The record of a load: which writes were acknowledged, and at which revision, so that `check` can tell a lost one. A
// recorded load writes every key once: key and value follow from the write's number, and the keys' common prefix holds
// a random part, so that no other load touches them.
//
// The file is text: a line "whitewater-load-record 1 {JSON of Writes}", then one line "N R" per acknowledged write,
// both as the difference to the line before (of N it may be negative), at last "end COUNT". A record without its last
// line is of a load that was killed: what it holds is true, a torn line at its end is ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace whitewater::bench {

struct Writes {
  std::string prefix;
  std::size_t value_bytes = 256;
  std::uint64_t seed = 1;

  [[nodiscard]] std::string key_of(std::uint64_t number) const;  // ordered as the numbers are
  // The value begins with the number; the rest is the same for all of a load.
  [[nodiscard]] std::string head_of(std::uint64_t number) const;  // 12 bytes, or fewer where the value is shorter
  [[nodiscard]] std::string tail() const;
};
// The number in a key of this load; false for any other key.
[[nodiscard]] bool number_of_key(const Writes& writes, std::string_view key, std::uint64_t& number);
// `key_prefix` with a random part.
[[nodiscard]] std::string make_unique_prefix(const std::string& key_prefix);

// Both throw std::runtime_error with the file's name and the cause.
class RecordWriter {
 public:
  RecordWriter(const std::string& path, const Writes& writes);  // replaces the file
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  void add(std::uint64_t number, std::int64_t revision);
  void flush();  // to the kernel: what was added before outlives the process
  void finish();

 private:
  void check(bool is_good) const;

  std::string path_;
  std::FILE* file_;
  std::uint64_t count_ = 0;
  std::int64_t last_number_ = 0;
  std::int64_t last_revision_ = 0;
};

struct Record {
  static constexpr std::int64_t not_acknowledged = -1;

  Writes writes;
  std::vector<std::int64_t> revisions;  // by number
  std::uint64_t acknowledged = 0;
  bool is_finished = false;
};
[[nodiscard]] Record read_record(const std::string& path);

}  // namespace whitewater::bench
