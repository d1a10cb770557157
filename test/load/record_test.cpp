// A lost write must be found, whatever happened around it; what was never acknowledged must not be missed.
#include "load/record.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "catch.hpp"
#include "load/check.hpp"
#include "load/fake_server.hpp"
#include "load/put_load.hpp"

using namespace whitewater;
using namespace whitewater::bench;

namespace {

class File {
 public:
  File() : path_(std::filesystem::temp_directory_path() / ("whitewater-record-" + std::to_string(::getpid()))) {}
  ~File() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  [[nodiscard]] std::string text() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::filesystem::path path_;
};

const Writes writes{"p/", 20, 1};

// Of the first 5,000 writes every third was acknowledged, write n at revision 10 + n.
Record some_record() {
  Record record{writes, std::vector<std::int64_t>(5000, Record::not_acknowledged), 0, true};
  for (std::size_t n = 0; n < 5000; n += 3) {
    record.revisions[n] = static_cast<std::int64_t>(10 + n);
    ++record.acknowledged;
  }
  return record;
}

using Store = std::map<std::string, KeyValue>;

Store everything() {
  Store store;
  for (std::uint64_t n = 0; n < 5000; ++n) {
    const std::string key = writes.key_of(n);
    store[key] = {key, writes.head_of(n) + writes.tail(), static_cast<std::int64_t>(10 + n)};
  }
  return store;
}

// At most `page_max` keys whatever the limit.
ReadRange reader_of(const Store& store, std::size_t page_max) {
  return [&store, page_max](const std::string& from, const std::string& to, std::size_t limit) {
    CHECK(limit <= 1000);
    Page page;
    auto at = store.lower_bound(from);
    const auto end = store.lower_bound(to);
    for (; at != end && page.pairs.size() < std::min(limit, page_max); ++at) page.pairs.push_back(at->second);
    page.has_more = at != end;
    return page;
  };
}

}  // namespace

TEST_CASE("the check finds what was acknowledged, page by page, and does not miss what was not") {
  const Record record = some_record();
  Store store = everything();
  for (const std::size_t page_max : {1000UL, 7UL}) {
    const CheckResult all = check_record(record, reader_of(store, page_max));
    CHECK(all.acknowledged == record.acknowledged);
    CHECK(all.found == record.acknowledged);
    CHECK(all.lost_count == 0);
    CHECK(all.other_revision_count == 0);
  }
  for (std::uint64_t n = 1; n < 5000; n += 3) store.erase(writes.key_of(n));
  CHECK(check_record(record, reader_of(store, 1000)).lost_count == 0);
}

TEST_CASE("the check names every lost write: the first, the last, one at a page's end, a foreign value") {
  const Record record = some_record();
  Store store = everything();
  std::vector<std::string> lost;
  for (const std::uint64_t n : {0UL, 999UL, 1002UL, 3000UL, 4998UL}) lost.push_back(writes.key_of(n));
  for (const std::string& key : lost) store.erase(key);
  store[lost[3]] = {lost[3], "another value", 3010};
  store[writes.key_of(6)].mod_revision = 99;
  for (const std::size_t page_max : {1000UL, 7UL}) {
    const CheckResult result = check_record(record, reader_of(store, page_max));
    CHECK(result.lost == lost);
    CHECK(result.lost_count == 5);
    CHECK(result.found == record.acknowledged - 5);
    CHECK(result.acknowledged == record.acknowledged);
    CHECK(result.other_revision_count == 1);
  }
  const CheckResult none = check_record(record, reader_of({}, 1000));
  CHECK(none.lost_count == record.acknowledged);
  CHECK(none.lost.size() == lost_listed_max);
}

TEST_CASE("a record is read as it was written") {
  const File file;
  {
    RecordWriter writer(file.path(), Writes{"a \"b\"/", 7, 3});
    writer.add(5, 100);
    writer.add(0, 99);
    writer.add(6, 2'000'000'000'000);
    writer.finish();
  }
  const Record record = read_record(file.path());
  CHECK(record.writes.prefix == "a \"b\"/");
  CHECK(record.writes.value_bytes == 7);
  CHECK(record.writes.seed == 3);
  const auto no = Record::not_acknowledged;
  CHECK(record.revisions == std::vector<std::int64_t>{99, no, no, no, no, 100, 2'000'000'000'000});
  CHECK(record.acknowledged == 3);
  CHECK(record.is_finished);
}

TEST_CASE("a record cut short is read up to its torn line; a damaged one is refused") {
  const File file;
  {
    RecordWriter writer(file.path(), writes);
    for (int i = 0; i < 50; ++i) writer.add(static_cast<std::uint64_t>(i), 100 + i);
    writer.finish();
  }
  const std::string whole = file.text();
  const std::size_t last_line = whole.rfind("end");
  file.write(whole.substr(0, last_line - 1));
  CHECK(read_record(file.path()).acknowledged == 49);
  CHECK_FALSE(read_record(file.path()).is_finished);
  file.write(whole.substr(0, last_line) + "1 1\nend 50\n");
  CHECK_THROWS_WITH(read_record(file.path()), contains_text("count"));
  file.write(whole.substr(0, last_line) + "0 1\n");
  CHECK_THROWS_WITH(read_record(file.path()), contains_text("twice"));
  for (const char* line : {"1\n", "1 x\n", "-60 1\n", "9000000000000000000 1\n", "1 -9000000000000000000\n", "\n"}) {
    file.write(whole.substr(0, last_line) + line);
    CHECK_THROWS_WITH(read_record(file.path()), contains_text("damaged"));
  }
  file.write("something else\n");
  CHECK_THROWS_WITH(read_record(file.path()), contains_text("not a record"));
  CHECK_THROWS_WITH(read_record(file.path() + ".absent"), contains_text("No such file"));
}

TEST_CASE("a recorded load writes each key once, and exactly the write that the server forgot is lost") {
  const File file;
  FakeServer server;
  server.on_put = [](std::uint64_t number) {
    if (number == 40) return Deed::forget;
    return number % 20 == 3 ? Deed::hang_up : Deed::write;  // unknown ones between them
  };
  server.sends_chunks = true;
  server.start();
  LoadOptions options;
  options.endpoints = {server.endpoint()};
  options.connections = 3;
  options.seconds = 0.4;
  options.warmup_seconds = 0.1;
  options.record_path = file.path();
  const LoadResult result = run_puts(options);
  CHECK(result.unknown > 0);
  const Record record = read_record(file.path());
  CHECK(record.is_finished);
  CHECK(record.acknowledged > 50);
  CHECK(record.acknowledged == server.store().entries.size() + 1);
  RangeClient client(parse_endpoints(options.endpoints), base::seconds(1), base::seconds(1));
  const CheckResult check = check_record(
      record, [&](const auto& from, const auto& to, std::size_t limit) { return client.read(from, to, limit); });
  CHECK(check.acknowledged == record.acknowledged);
  CHECK(check.lost_count == 1);
  CHECK(check.other_revision_count == 0);
  REQUIRE(check.lost.size() == 1);
  CHECK_FALSE(server.store().entries.contains(check.lost[0]));
}
