#include "core/types.hpp"

#include "base/codec.hpp"
#include "catch.hpp"
#include "core/builders.hpp"

namespace whitewater::core::test {
namespace {

base::Errc error_of(const std::string& bytes) {
  const auto decoded = decode_configuration(bytes);
  REQUIRE_FALSE(decoded.has_value());
  return static_cast<base::Errc>(decoded.error().value());
}

}  // namespace

TEST_CASE("a configuration survives encoding and decoding") {
  base::Rng rng(6);
  for (int i = 0; i < 200; ++i) {
    const Configuration c = random_configuration(rng, 9);
    const auto decoded = decode_configuration(encode(c));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == c);
  }
}

TEST_CASE("every proper prefix of an encoded configuration is refused") {
  const std::string bytes = encode(make_configuration({1, 2, 3}, {3, 4}, {5}));
  for (std::size_t n = 0; n < bytes.size(); ++n) CHECK_FALSE(decode_configuration(bytes.substr(0, n)).has_value());
  CHECK(error_of(bytes + "x") == base::Errc::malformed);
}

TEST_CASE("random bytes never crash the decoder, and what it accepts encodes to the same bytes") {
  base::Rng rng(7);
  const std::string valid = encode(make_configuration({1, 2, 3}, {3, 4}, {5}));
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = valid;
    for (std::uint64_t flips = rng.in_range(1, 3); flips > 0; --flips) {
      bytes[rng.in_range(0, bytes.size() - 1)] = static_cast<char>(rng.next());
    }
    const auto decoded = decode_configuration(bytes);
    if (!decoded) continue;
    ++accepted;
    CHECK(encode(*decoded) == bytes);
  }
  CHECK(accepted > 0);
}

TEST_CASE("an unknown format of a configuration is told apart from damage") {
  std::string bytes = encode(make_configuration({1}));
  bytes[0] = 4;
  CHECK(error_of(bytes) == base::Errc::unsupported_version);
}

TEST_CASE("lists of members out of order, with repeated or zero ids, or with a voting learner are malformed") {
  const Configuration unsorted{make_members({2, 1}), {}, {}};
  const Configuration repeated{make_members({1, 1}), {}, {}};
  const Configuration zero{make_members({0, 1}), {}, {}};
  const Configuration voting_learner{make_members({1, 2}), {}, make_members({2})};
  const Configuration outgoing_learner{make_members({1}), make_members({2}), make_members({2})};
  for (const Configuration& c : {unsorted, repeated, zero, voting_learner, outgoing_learner}) {
    CHECK(error_of(encode(c)) == base::Errc::malformed);
  }
}

TEST_CASE("a configuration over the limit of members is refused before it is read") {
  Ids ids;
  for (std::uint64_t id = 1; id <= configuration_members_max; ++id) ids.push_back(id);
  CHECK(decode_configuration(encode(make_configuration(ids))).has_value());
  ids.push_back(ids.size() + 1);
  CHECK_FALSE(decode_configuration(encode(make_configuration(ids))).has_value());
}

TEST_CASE("a member's name over the limit is refused") {
  Configuration c = make_configuration({1});
  c.voters[0].name = std::string(member_name_bytes_max, 'n');
  CHECK(decode_configuration(encode(c)).has_value());
  c.voters[0].name += "n";
  CHECK_FALSE(decode_configuration(encode(c)).has_value());
}

TEST_CASE("normalizing sorts and drops what is repeated") {
  const Configuration c = normalized({make_members({3, 1, 3}), {}, make_members({5, 4})});
  CHECK(c == make_configuration({1, 3}, {}, {4, 5}));
}

TEST_CASE("a configuration knows who votes, who learns and who belongs") {
  const Configuration c = make_configuration({1, 2}, {2, 3}, {4});
  CHECK(c.is_joint());
  CHECK(c.is_voter(NodeId(1)));
  CHECK(c.is_voter(NodeId(3)));
  CHECK_FALSE(c.is_voter(NodeId(4)));
  CHECK(c.is_learner(NodeId(4)));
  CHECK_FALSE(c.contains(NodeId(5)));
  CHECK(c.find(NodeId(5)) == nullptr);
  CHECK(c.find(NodeId(3))->name == "n3");
  CHECK(c.members() == make_members({1, 2, 3, 4}));
}

TEST_CASE("the shared types describe themselves") {
  CHECK(describe(make_command(2, 7, "abc")) == "2/7 command 3B");
  CHECK(describe(make_noop(1, 1)) == "1/1 noop 0B");
  CHECK(describe(EntryType::configuration) == "configuration");
  CHECK(describe(static_cast<EntryType>(9)) == "unknown");
  CHECK(describe(HardState{Term(3), NodeId(0)}) == "term=3 vote=-");
  CHECK(describe(HardState{Term(3), NodeId(10)}) == "term=3 vote=000000000000000a");
  CHECK(describe(make_configuration({1}, {2}, {3})) ==
        "voters=[n1(0000000000000001)] outgoing=[n2(0000000000000002)] learners=[n3(0000000000000003)]");
}

}  // namespace whitewater::core::test
