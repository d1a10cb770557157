#include "load/record.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>

#include "base/rng.hpp"

namespace whitewater::bench {
namespace {

constexpr std::string_view magic = "whitewater-load-record 1 ";
constexpr std::string_view end_word = "end ";
constexpr std::size_t key_digits = 12;
constexpr std::size_t head_bytes = 12;
constexpr std::size_t value_bytes_max = 1'000'000;
// 4 GB of memory, three days at 2,000 a second: more is no record of this tool.
constexpr std::int64_t writes_max = 500'000'000;
constexpr std::int64_t revision_max = 1'000'000'000'000'000'000;  // two of them can be added

std::string digits_of(std::uint64_t number, std::size_t width) {
  std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

[[noreturn]] void refuse(const std::string& path, const std::string& cause) {
  throw std::runtime_error("--record " + path + ": " + cause);
}

// Adds the two numbers of a line to what they are the difference to; false where the sums make no sense.
bool add_line(std::string_view line, std::int64_t& number, std::int64_t& revision) {
  std::int64_t steps[2] = {};
  const char* end = line.data() + line.size();
  const auto first = std::from_chars(line.data(), end, steps[0]);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != ' ') return false;
  const auto second = std::from_chars(first.ptr + 1, end, steps[1]);
  if (second.ec != std::errc{} || second.ptr != end) return false;
  const auto is_within = [](std::int64_t step, std::int64_t limit) { return step >= -limit && step <= limit; };
  if (!is_within(steps[0], writes_max) || !is_within(steps[1], revision_max)) return false;
  number += steps[0];
  revision += steps[1];
  return number >= 0 && number < writes_max && revision >= 0 && revision <= revision_max;
}

Writes parse_first_line(const std::string& path, const std::string& line) {
  boost::system::error_code error;
  const auto json =
      line.starts_with(magic) ? boost::json::parse(line.substr(magic.size()), error) : boost::json::value();
  const auto* object = json.if_object();
  if (error || object == nullptr) refuse(path, "not a record of whitewater-load (put --record writes one)");
  Writes writes;
  try {
    writes.prefix = boost::json::value_to<std::string>(object->at("prefix"));
    writes.value_bytes = boost::json::value_to<std::size_t>(object->at("value_bytes"));
    writes.seed = boost::json::value_to<std::uint64_t>(object->at("seed"));
  } catch (const std::exception& problem) {
    refuse(path, std::string("damaged first line: ") + problem.what());
  }
  if (writes.value_bytes > value_bytes_max) refuse(path, "damaged first line: value_bytes");
  return writes;
}

}  // namespace

std::string Writes::key_of(std::uint64_t number) const { return prefix + digits_of(number, key_digits); }

std::string Writes::head_of(std::uint64_t number) const {
  const std::string head = digits_of(number, head_bytes);
  return head.substr(head.size() - std::min(head_bytes, value_bytes));
}

std::string Writes::tail() const {
  std::string text(value_bytes - std::min(head_bytes, value_bytes), '\0');
  base::Rng rng(seed);
  for (char& c : text) c = static_cast<char>('a' + rng.in_range(0, 25));
  return text;
}

bool number_of_key(const Writes& writes, std::string_view key, std::uint64_t& number) {
  if (!key.starts_with(writes.prefix) || key.size() != writes.prefix.size() + key_digits) return false;
  const auto [end, error] = std::from_chars(key.data() + writes.prefix.size(), key.data() + key.size(), number);
  return error == std::errc{} && end == key.data() + key.size();
}

std::string make_unique_prefix(const std::string& key_prefix) {
  std::random_device device;
  const std::uint64_t random = std::uint64_t{device()} << 32 | device();
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(random));
  return key_prefix + text + "/";
}

RecordWriter::RecordWriter(const std::string& path, const Writes& writes)
    : path_(path), file_(std::fopen(path.c_str(), "we")) {
  check(file_ != nullptr);
  const std::string json = boost::json::serialize(
      boost::json::object{{"prefix", writes.prefix}, {"value_bytes", writes.value_bytes}, {"seed", writes.seed}});
  check(std::fprintf(file_, "%s%s\n", std::string(magic).c_str(), json.c_str()) > 0);
  flush();
}

RecordWriter::~RecordWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

void RecordWriter::check(bool is_good) const {
  if (!is_good) refuse(path_, std::string("cannot write: ") + std::strerror(errno));
}

void RecordWriter::add(std::uint64_t number, std::int64_t revision) {
  const auto n = static_cast<std::int64_t>(number);
  check(std::fprintf(file_, "%lld %lld\n", static_cast<long long>(n - last_number_),
                     static_cast<long long>(revision - last_revision_)) > 0);
  last_number_ = n;
  last_revision_ = revision;
  ++count_;
}

void RecordWriter::flush() { check(std::fflush(file_) == 0); }

void RecordWriter::finish() {
  check(std::fprintf(file_, "%s%llu\n", std::string(end_word).c_str(), static_cast<unsigned long long>(count_)) > 0);
  flush();
}

Record read_record(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string line;
  if (!in || !std::getline(in, line))
    refuse(path, std::string("cannot read: ") + (errno == 0 ? "empty" : std::strerror(errno)));
  Record record;
  record.writes = parse_first_line(path, line);
  std::int64_t number = 0;
  std::int64_t revision = 0;
  while (std::getline(in, line) && !in.eof()) {  // what ends without a line end is torn
    if (line.starts_with(end_word)) {
      if (line.substr(end_word.size()) != std::to_string(record.acknowledged))
        refuse(path, "its count does not fit its lines");
      record.is_finished = true;
      break;
    }
    if (!add_line(line, number, revision)) refuse(path, "damaged line \"" + line.substr(0, 40) + "\"");
    const auto index = static_cast<std::size_t>(number);
    if (index >= record.revisions.size()) record.revisions.resize(index + 1, Record::not_acknowledged);
    if (record.revisions[index] != Record::not_acknowledged) refuse(path, "write " + std::to_string(number) + " twice");
    record.revisions[index] = revision;
    ++record.acknowledged;
  }
  return record;
}

}  // namespace whitewater::bench
