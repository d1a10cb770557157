// The revision check accepts what the committed log explains and names what it does not.
#include "sim/revision_check.hpp"

#include "catch.hpp"
#include "kv/command_codec.hpp"
#include "sim/failure.hpp"

using namespace whitewater;
using namespace whitewater::sim;

namespace {

// Committed: revision 2 puts 11 to key 1, revision 3 puts 12, revision 4 removes key 1, revision 5 puts 13 to key 2.
class Log {
 public:
  void put(std::uint32_t key, Value value) {
    kv::PutRequest request;
    request.key = key_name(key);
    request.value = value_text(value, 20);
    add(request);
  }
  void compact(kv::Revision revision) {
    kv::CompactionRequest request;
    request.revision = revision;
    add(request);
  }
  void remove(std::uint32_t key) {
    kv::DeleteRangeRequest request;
    request.key = key_name(key);
    add(request);
  }
  std::vector<core::Entry> entries;

 private:
  void add(const kv::Command& command) {
    entries.push_back({core::Term(1),
                       core::Index(entries.size() + 1),
                       core::EntryType::command,
                       {},
                       core::SharedBytes(kv::encode_command(command))});
  }
};

Log sample_log() {
  Log log;
  log.put(1, 11);
  log.put(1, 12);
  log.remove(1);
  log.remove(1);  // nothing there: no revision
  log.put(2, 13);
  return log;
}

ClientRecord put(std::uint64_t from, std::uint64_t to, std::uint32_t key, Value value, kv::Revision revision) {
  ClientRecord record;
  record.operation.kind = OpKind::put;
  record.operation.key = key;
  record.operation.argument = value;
  record.operation.invoked = from;
  record.operation.completed = to;
  record.revision = revision;
  return record;
}

ClientRecord get(std::uint64_t from, std::uint64_t to, std::uint32_t key, Value saw, kv::Revision revision) {
  ClientRecord record = put(from, to, key, absent, revision);
  record.operation.kind = OpKind::get;
  record.operation.observed = saw;
  return record;
}

ClientRecord remove(std::uint64_t from, std::uint64_t to, std::uint32_t key, bool found, kv::Revision revision) {
  ClientRecord record = put(from, to, key, absent, revision);
  record.operation.kind = OpKind::remove;
  record.operation.succeeded = found;
  return record;
}

}  // namespace

TEST_CASE("a history that the committed log explains is accepted") {
  const Log log = sample_log();
  CHECK_NOTHROW(check_revisions(
      log.entries, {put(1, 2, 1, 11, 2), get(3, 4, 1, 11, 2), put(3, 9, 1, 12, 3), remove(10, 11, 1, true, 4),
                    remove(12, 13, 1, false, 4), put(14, 15, 2, 13, 5), get(16, 17, 1, absent, 5)}));
}

TEST_CASE("an acknowledged write that is not in the committed log is found") {
  const Log log = sample_log();
  CHECK_THROWS_AS(check_revisions(log.entries, {put(1, 2, 1, 11, 9)}), Failure);
  CHECK_THROWS_AS(check_revisions(log.entries, {put(1, 2, 1, 99, 2)}), Failure);
  CHECK_THROWS_AS(check_revisions(log.entries, {put(1, 2, 2, 13, 4)}), Failure);
}

TEST_CASE("a read of another value than that of its revision is found") {
  const Log log = sample_log();
  CHECK_THROWS_AS(check_revisions(log.entries, {get(1, 2, 1, 11, 3)}), Failure);
  ClientRecord wrong_revision = get(1, 2, 1, 12, 3);
  wrong_revision.mod_revision = 2;
  CHECK_THROWS_AS(check_revisions(log.entries, {wrong_revision}), Failure);
}

TEST_CASE("a read of the past must see the content as it was, in a store that has got that far") {
  const Log log = sample_log();
  ClientRecord past = get(1, 2, 1, 12, 5);
  past.asked = 3;
  past.mod_revision = 3;
  CHECK_NOTHROW(check_revisions(log.entries, {past}));
  past.asked = 4;
  CHECK_THROWS_AS(check_revisions(log.entries, {past}), Failure);
  past.asked = 3;
  past.revision = 2;
  CHECK_THROWS_AS(check_revisions(log.entries, {past}), Failure);
}

TEST_CASE("only what was compacted may be refused as compacted") {
  Log log = sample_log();
  ClientRecord past = get(1, 2, 1, absent, 5);
  past.asked = 2;
  past.is_compacted = true;
  past.revision.reset();
  past.operation.observed.reset();
  CHECK_THROWS_AS(check_revisions(log.entries, {past}), Failure);
  log.compact(9);  // of the future: refused
  CHECK_THROWS_AS(check_revisions(log.entries, {past}), Failure);
  log.compact(3);
  CHECK_NOTHROW(check_revisions(log.entries, {past}));
  past.asked = 3;
  CHECK_THROWS_AS(check_revisions(log.entries, {past}), Failure);
}

TEST_CASE("a remove that says the wrong thing is found") {
  const Log log = sample_log();
  CHECK_THROWS_AS(check_revisions(log.entries, {remove(1, 2, 1, false, 3)}), Failure);
  CHECK_THROWS_AS(check_revisions(log.entries, {remove(1, 2, 1, true, 5)}), Failure);
}

TEST_CASE("revisions that go back in real time are found") {
  const Log log = sample_log();
  CHECK_THROWS_AS(check_revisions(log.entries, {put(1, 2, 1, 12, 3), get(3, 4, 1, 11, 2)}), Failure);
  CHECK_NOTHROW(check_revisions(log.entries, {put(1, 9, 1, 12, 3), get(3, 4, 1, 11, 2)}));
}

TEST_CASE("a value that was applied twice is found") {
  Log log = sample_log();
  log.put(2, 13);
  CHECK_THROWS_AS(check_revisions(log.entries, {}), Failure);
}

TEST_CASE("the final content is that of the last revision") {
  const auto content = final_content(sample_log().entries);
  REQUIRE(content.size() == 1);
  CHECK(content[0].first == "key-2");
  CHECK(content[0].second == 13);
}
