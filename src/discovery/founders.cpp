#include "discovery/founders.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "base/assert.hpp"
#include "base/codec.hpp"
#include "discovery/candidate.hpp"

namespace whitewater::discovery {

using base::Errc;

namespace {

constexpr std::uint8_t founder_set_version = 1;

void put_big_endian(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((value >> shift) & 0xff));
}

void put_text(std::string& out, std::string_view text) {
  put_big_endian(out, text.size());
  out.append(text);
}

std::uint64_t first_64_bits_of_sha256(std::string_view input) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size_bytes = 0;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  WW_ASSERT(context != nullptr);
  WW_ASSERT(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  WW_ASSERT(EVP_DigestUpdate(context.get(), input.data(), input.size()) == 1);
  WW_ASSERT(EVP_DigestFinal_ex(context.get(), digest.data(), &size_bytes) == 1);
  WW_ASSERT(size_bytes == 32);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | digest[i];
  return value == 0 ? 1 : value;  // 0 means "none"
}

}  // namespace

const Founder* FounderSet::find(base::NodeId id) const {
  const auto it = std::find_if(founders.begin(), founders.end(), [id](const Founder& f) { return f.node_id == id; });
  return it == founders.end() ? nullptr : &*it;
}

base::NodeId FounderSet::coordinator() const { return founders.empty() ? base::NodeId() : founders.front().node_id; }

std::uint64_t set_hash(const FounderSet& set) {
  std::string input;
  put_text(input, "whitewater founders 1");
  put_text(input, set.token);
  put_big_endian(input, set.founders.size());
  for (const auto& founder : set.founders) {
    put_text(input, founder.name);
    put_big_endian(input, founder.node_id.value);
    put_text(input, founder.advertise);
  }
  return first_64_bits_of_sha256(input);
}

std::uint64_t member_hash(const FounderSet& set) {
  std::set<std::pair<std::string, std::uint64_t>> members;
  for (const auto& founder : set.founders) members.emplace(founder.name, founder.node_id.value);
  std::string input;
  put_text(input, "whitewater observed 1");
  put_text(input, set.token);
  put_big_endian(input, members.size());
  for (const auto& [name, id] : members) {
    put_text(input, name);
    put_big_endian(input, id);
  }
  return first_64_bits_of_sha256(input);
}

base::ClusterId cluster_id_of(const FounderSet& set) {
  std::vector<base::NodeId> ids;
  for (const auto& founder : set.founders) ids.push_back(founder.node_id);
  std::sort(ids.begin(), ids.end());
  std::string input;
  put_text(input, set.token);
  for (const auto id : ids) put_big_endian(input, id.value);
  return base::ClusterId(first_64_bits_of_sha256(input));
}

core::Configuration configuration_of(const FounderSet& set) {
  core::Configuration configuration;
  for (const auto& founder : set.founders) configuration.voters.push_back({founder.node_id, founder.advertise});
  return core::normalized(std::move(configuration));
}

bool has_same_members(const FounderSet& a, const FounderSet& b) {
  return std::equal(a.founders.begin(), a.founders.end(), b.founders.begin(), b.founders.end(),
                    [](const Founder& x, const Founder& y) { return x.name == y.name && x.node_id == y.node_id; });
}

std::string refusal_of(const FounderSet& set) {
  if (set.founders.empty()) return "the set of founders is empty";
  if (set.founders.size() > founders_max) return "the set of founders is too large";
  if (set.token.size() > token_bytes_max) return "the token is too long";
  std::set<base::NodeId> ids;
  for (std::size_t i = 0; i < set.founders.size(); ++i) {
    const auto& founder = set.founders[i];
    if (founder.node_id.is_zero()) return founder.name + " has no node id";
    if (!ids.insert(founder.node_id).second) return "two founders have the node id " + base::to_hex(founder.node_id);
    if (!is_host_valid(founder.name)) return "a founder's name is not usable";
    if (founder.advertise.size() > advertise_bytes_max || !parse_host_port(founder.advertise)) {
      return founder.name + " advertises an address that is not host:port";
    }
    const auto ordinal = ordinal_of(founder.name);
    if (set.founders.size() == 1 && !ordinal) continue;
    if (ordinal != static_cast<std::uint32_t>(i))
      return founder.name + " does not have the ordinal " + std::to_string(i);
    if (stem_of(founder.name) != stem_of(set.founders.front().name)) {
      return founder.name + " and " + set.founders.front().name + " belong to different sets";
    }
  }
  return {};
}

std::string encode(const FounderSet& set) {
  WW_ASSERT(set.founders.size() <= founders_max);
  WW_ASSERT(set.token.size() <= token_bytes_max);
  std::string out;
  base::ByteWriter writer(out);
  writer.u8(founder_set_version);
  writer.blob(set.token);
  writer.u64(set.attempt);
  writer.u16(static_cast<std::uint16_t>(set.founders.size()));
  for (const auto& founder : set.founders) {
    writer.u64(founder.node_id.value);
    writer.blob(founder.name);
    writer.blob(founder.advertise);
  }
  WW_ASSERT(out.size() <= founder_set_bytes_max);
  return out;
}

base::Result<FounderSet> decode_founder_set(std::string_view bytes) {
  if (bytes.size() > founder_set_bytes_max) return Errc::limit_exceeded;
  base::ByteReader reader(bytes);
  if (reader.u8() != founder_set_version) return bytes.empty() ? Errc::malformed : Errc::unsupported_version;
  FounderSet set;
  set.token = reader.blob(token_bytes_max);
  set.attempt = reader.u64();
  const auto count = reader.u16();
  if (!reader.ok()) return Errc::malformed;
  if (count > founders_max) return Errc::limit_exceeded;
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    Founder founder;
    founder.node_id = base::NodeId(reader.u64());
    founder.name = reader.blob(core::member_name_bytes_max);
    founder.advertise = reader.blob(advertise_bytes_max);
    set.founders.push_back(std::move(founder));
  }
  if (!reader.at_end()) return Errc::malformed;
  return set;
}

std::string describe(const FounderSet& set) {
  std::string text = "founders";
  for (const auto& founder : set.founders) text += " " + founder.name + "/" + base::to_hex(founder.node_id);
  return text;
}

}  // namespace whitewater::discovery
