#include "log/meta.hpp"

#include "base/assert.hpp"
#include "base/codec.hpp"
#include "base/crc32c.hpp"
#include "log/format.hpp"

namespace whitewater::log {
namespace {

constexpr std::uint64_t meta_magic = 0x314154454d5757ULL;  // "WWMETA1"
constexpr std::size_t fixed_bytes = 8 + 2 + 2 + 4;         // magic, version, reserved, body length
constexpr std::size_t body_bytes_max = meta_copy_bytes - fixed_bytes - 4;

}  // namespace

// magic u64 | version u16 | zero u16 | body length u32 | body | crc32c of everything before it.
std::string encode(const MetaRecord& record) {
  WW_ASSERT(record.pod_name.size() <= core::member_name_bytes_max);
  std::string body;
  base::ByteWriter b(body);
  b.u64(record.generation);
  b.u64(record.cluster.value);
  b.u64(record.node.value);
  b.u64(record.incarnation.value);
  b.u8(static_cast<std::uint8_t>(record.state));
  b.u64(record.prepared_set_hash);
  b.blob(record.pod_name);

  std::string copy;
  copy.reserve(meta_copy_bytes);
  base::ByteWriter w(copy);
  w.u64(meta_magic);
  w.u16(meta_version);
  w.u16(0);
  w.blob(body);
  w.u32(base::crc32c(copy));
  WW_ASSERT(copy.size() <= meta_copy_bytes);
  copy.resize(meta_copy_bytes, '\0');
  return copy;
}

base::Result<MetaRecord> decode_meta(std::string_view copy) {
  if (is_blank(copy)) return base::Errc::not_found;
  base::ByteReader r(copy);
  const std::uint64_t magic = r.u64();
  const std::uint16_t version = r.u16();
  r.u16();
  const auto body = r.blob(body_bytes_max);
  if (!r.ok() || magic != meta_magic) return base::Errc::malformed;
  if (r.u32() != base::crc32c(copy.substr(0, fixed_bytes + body.size())) || !r.ok())
    return base::Errc::checksum_mismatch;
  if (version > meta_version) return base::Errc::unsupported_version;

  base::ByteReader b(body);
  MetaRecord record;
  record.generation = b.u64();
  record.cluster = base::ClusterId(b.u64());
  record.node = base::NodeId(b.u64());
  record.incarnation = base::Incarnation(b.u64());
  const std::uint8_t state = b.u8();
  record.prepared_set_hash = b.u64();
  const std::size_t before_name = b.remaining_bytes();
  const auto name = b.blob(core::member_name_bytes_max);
  if (!b.ok()) return before_name > 4 ? base::Errc::limit_exceeded : base::Errc::malformed;
  record.pod_name = std::string(name);
  if (!b.at_end() || record.node.is_zero() || version == 0) return base::Errc::malformed;
  if (state < static_cast<std::uint8_t>(MemberState::fresh) ||
      state > static_cast<std::uint8_t>(MemberState::removed)) {
    return base::Errc::malformed;
  }
  record.state = static_cast<MemberState>(state);
  return record;
}

base::Result<MetaChoice> choose_meta(std::string_view file) {
  if (file.size() < meta_file_bytes)
    return file.empty() ? base::Result<MetaChoice>(MetaChoice{}) : base::Errc::checksum_mismatch;
  const auto a = decode_meta(file.substr(0, meta_copy_bytes));
  const auto b = decode_meta(file.substr(meta_copy_bytes, meta_copy_bytes));
  const auto is = [](const auto& result, base::Errc code) { return result.has_error() && result.error() == code; };
  if (is(a, base::Errc::unsupported_version) || is(b, base::Errc::unsupported_version)) {
    return base::Errc::unsupported_version;
  }
  if (a.has_value() && b.has_value()) {
    if (a->generation == b->generation && !(*a == *b)) return base::Errc::malformed;
    return MetaChoice{a->generation >= b->generation ? *a : *b, a->generation != b->generation};
  }
  if (a.has_value()) return MetaChoice{*a, true};
  if (b.has_value()) return MetaChoice{*b, true};
  if (is(a, base::Errc::not_found) && is(b, base::Errc::not_found)) return MetaChoice{};
  return base::Errc::checksum_mismatch;
}

std::string describe(MemberState state) {
  switch (state) {
    case MemberState::fresh:
      return "fresh";
    case MemberState::prepared:
      return "prepared";
    case MemberState::member:
      return "member";
    case MemberState::removed:
      return "removed";
  }
  return "unknown";
}

std::string describe(const MetaRecord& record) {
  return "meta{generation " + std::to_string(record.generation) + ", cluster " + base::to_hex(record.cluster) +
         ", node " + base::to_hex(record.node) + ", incarnation " + std::to_string(record.incarnation.value) + ", " +
         describe(record.state) + ", name '" + record.pod_name + "'}";
}

}  // namespace whitewater::log
