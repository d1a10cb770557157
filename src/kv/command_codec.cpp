#include "kv/command_codec.hpp"

#include "base/assert.hpp"
#include "base/codec.hpp"

namespace whitewater::kv {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Errc;

constexpr std::uint8_t format_version = 1;
constexpr std::size_t list_max = 65535;

enum class Kind : std::uint8_t { put = 1, delete_range = 2, txn = 3, compaction = 4 };
enum class OpKind : std::uint8_t { range = 1, put = 2, delete_range = 3, txn = 4 };

// A flag says that a field is true or, where it has a value, that it follows.
struct PutFlag {
  enum : std::uint8_t { prev_kv = 1, ignore_value = 2, ignore_lease = 4, lease = 8, all = 15 };
};
struct DeleteFlag {
  enum : std::uint8_t { prev_kv = 1, range_end = 2, all = 3 };
};
struct RangeFlag {
  enum : std::uint16_t {
    range_end = 1,
    limit = 2,
    revision = 4,
    sort = 8,
    serializable = 16,
    keys_only = 32,
    count_only = 64,
    min_mod = 128,
    max_mod = 256,
    min_create = 512,
    max_create = 1024,
    all = 2047
  };
};
struct CompareFlag {
  enum : std::uint8_t { range_end = 1, number = 2, value = 4, all = 7 };
};

// etcd does not refuse an undeclared compare result or target; all such numbers mean the same (txn.cpp).
constexpr std::uint8_t undeclared = 0xff;

template <class Enum>
std::uint8_t to_byte(Enum value, std::int32_t last_declared) {
  const auto number = static_cast<std::int32_t>(value);
  return number < 0 || number > last_declared ? undeclared : static_cast<std::uint8_t>(number);
}

void i64(ByteWriter& writer, std::int64_t value) { writer.u64(static_cast<std::uint64_t>(value)); }
std::int64_t i64(ByteReader& reader) { return static_cast<std::int64_t>(reader.u64()); }
void flag(std::uint16_t& flags, bool on, std::uint16_t bit) {
  flags = static_cast<std::uint16_t>(on ? flags | bit : flags);
}

void encode(ByteWriter& writer, const PutRequest& put) {
  std::uint16_t flags = 0;
  flag(flags, put.prev_kv, PutFlag::prev_kv);
  flag(flags, put.ignore_value, PutFlag::ignore_value);
  flag(flags, put.ignore_lease, PutFlag::ignore_lease);
  flag(flags, put.lease != 0, PutFlag::lease);
  writer.u8(static_cast<std::uint8_t>(flags));
  writer.blob(put.key);
  writer.blob(put.value);
  if (put.lease != 0) i64(writer, put.lease);
}

void encode(ByteWriter& writer, const DeleteRangeRequest& request) {
  std::uint16_t flags = 0;
  flag(flags, request.prev_kv, DeleteFlag::prev_kv);
  flag(flags, !request.range_end.empty(), DeleteFlag::range_end);
  writer.u8(static_cast<std::uint8_t>(flags));
  writer.blob(request.key);
  if (!request.range_end.empty()) writer.blob(request.range_end);
}

void encode(ByteWriter& writer, const RangeRequest& range) {
  const bool is_sorted = range.sort_order != SortOrder::none || range.sort_target != SortTarget::key;
  std::uint16_t flags = 0;
  flag(flags, !range.range_end.empty(), RangeFlag::range_end);
  flag(flags, range.limit != 0, RangeFlag::limit);
  flag(flags, range.revision != 0, RangeFlag::revision);
  flag(flags, is_sorted, RangeFlag::sort);
  flag(flags, range.serializable, RangeFlag::serializable);
  flag(flags, range.keys_only, RangeFlag::keys_only);
  flag(flags, range.count_only, RangeFlag::count_only);
  flag(flags, range.min_mod_revision != 0, RangeFlag::min_mod);
  flag(flags, range.max_mod_revision != 0, RangeFlag::max_mod);
  flag(flags, range.min_create_revision != 0, RangeFlag::min_create);
  flag(flags, range.max_create_revision != 0, RangeFlag::max_create);
  writer.u16(flags);
  writer.blob(range.key);
  if (!range.range_end.empty()) writer.blob(range.range_end);
  if (range.limit != 0) i64(writer, range.limit);
  if (range.revision != 0) i64(writer, range.revision);
  if (is_sorted) {
    writer.u8(to_byte(range.sort_order, static_cast<std::int32_t>(SortOrder::descend)));
    writer.u8(to_byte(range.sort_target, static_cast<std::int32_t>(SortTarget::value)));
  }
  if (range.min_mod_revision != 0) i64(writer, range.min_mod_revision);
  if (range.max_mod_revision != 0) i64(writer, range.max_mod_revision);
  if (range.min_create_revision != 0) i64(writer, range.min_create_revision);
  if (range.max_create_revision != 0) i64(writer, range.max_create_revision);
}

void encode(ByteWriter& writer, const Compare& compare) {
  std::uint16_t flags = 0;
  flag(flags, !compare.range_end.empty(), CompareFlag::range_end);
  flag(flags, compare.number != 0, CompareFlag::number);
  flag(flags, !compare.value.empty(), CompareFlag::value);
  writer.u8(static_cast<std::uint8_t>(flags));
  writer.u8(to_byte(compare.result, static_cast<std::int32_t>(CompareResult::not_equal)));
  writer.u8(to_byte(compare.target, static_cast<std::int32_t>(CompareTarget::lease)));
  writer.blob(compare.key);
  if (!compare.range_end.empty()) writer.blob(compare.range_end);
  if (compare.number != 0) i64(writer, compare.number);
  if (!compare.value.empty()) writer.blob(compare.value);
}

void encode(ByteWriter& writer, const TxnRequest& txn, std::size_t depth);

void encode(ByteWriter& writer, const std::vector<RequestOp>& ops, std::size_t depth) {
  WW_ASSERT(ops.size() <= list_max);
  writer.u16(static_cast<std::uint16_t>(ops.size()));
  for (const auto& request : ops) {
    WW_ASSERT(!std::holds_alternative<std::monostate>(request.op));
    writer.u8(static_cast<std::uint8_t>(request.op.index()));  // the variant's order is OpKind's
    if (const auto* range = std::get_if<RangeRequest>(&request.op)) encode(writer, *range);
    if (const auto* put = std::get_if<PutRequest>(&request.op)) encode(writer, *put);
    if (const auto* erase = std::get_if<DeleteRangeRequest>(&request.op)) encode(writer, *erase);
    if (const auto* txn = std::get_if<TxnRequest>(&request.op)) encode(writer, *txn, depth + 1);
  }
}

void encode(ByteWriter& writer, const TxnRequest& txn, std::size_t depth) {
  WW_ASSERT(depth <= txn_depth_max);
  WW_ASSERT(txn.compare.size() <= list_max);
  writer.u16(static_cast<std::uint16_t>(txn.compare.size()));
  for (const auto& compare : txn.compare) encode(writer, compare);
  encode(writer, txn.success, depth);
  encode(writer, txn.failure, depth);
}

// Reads a command. The first thing that is wrong is kept; the reader's own failures are malformed.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : reader_(bytes) {}

  base::Result<Command> command() {
    if (reader_.u8() != format_version) return reader_.ok() ? Errc::unsupported_version : Errc::malformed;
    Command command;
    switch (static_cast<Kind>(reader_.u8())) {
      case Kind::put:
        command = put();
        break;
      case Kind::delete_range:
        command = delete_range();
        break;
      case Kind::txn:
        command = txn(1);
        break;
      case Kind::compaction:
        command = compaction();
        break;
      default:
        fail(Errc::malformed);
    }
    if (is_failed_) return error_;
    if (!reader_.at_end()) return Errc::malformed;
    return command;
  }

 private:
  void fail(Errc error) {
    if (is_failed_) return;
    is_failed_ = true;
    error_ = error;
  }
  [[nodiscard]] bool is_good() const { return reader_.ok() && !is_failed_; }
  std::string text() { return std::string(reader_.blob(command_bytes_max)); }
  std::int64_t number() { return i64(reader_); }
  // Flags outside `all` belong to a format that this version does not know.
  template <class T>
  T flags(T value, unsigned all) {
    if ((value & ~all) != 0) fail(Errc::malformed);
    return value;
  }
  template <class Enum>
  Enum declared(Enum last) {
    const auto value = reader_.u8();
    if (value > static_cast<std::int32_t>(last)) fail(Errc::malformed);
    return static_cast<Enum>(value);
  }
  template <class Enum>
  Enum declared_or_not(Enum last) {
    const auto value = reader_.u8();
    if (value > static_cast<std::int32_t>(last) && value != undeclared) fail(Errc::malformed);
    return static_cast<Enum>(value);
  }

  PutRequest put() {
    const auto set = flags(reader_.u8(), PutFlag::all);
    PutRequest out;
    out.prev_kv = (set & PutFlag::prev_kv) != 0;
    out.ignore_value = (set & PutFlag::ignore_value) != 0;
    out.ignore_lease = (set & PutFlag::ignore_lease) != 0;
    out.key = text();
    out.value = text();
    if ((set & PutFlag::lease) != 0) out.lease = number();
    return out;
  }

  DeleteRangeRequest delete_range() {
    const auto set = flags(reader_.u8(), DeleteFlag::all);
    DeleteRangeRequest out;
    out.prev_kv = (set & DeleteFlag::prev_kv) != 0;
    out.key = text();
    if ((set & DeleteFlag::range_end) != 0) out.range_end = text();
    return out;
  }

  RangeRequest range() {
    const auto set = flags(reader_.u16(), RangeFlag::all);
    RangeRequest out;
    out.serializable = (set & RangeFlag::serializable) != 0;
    out.keys_only = (set & RangeFlag::keys_only) != 0;
    out.count_only = (set & RangeFlag::count_only) != 0;
    out.key = text();
    if ((set & RangeFlag::range_end) != 0) out.range_end = text();
    if ((set & RangeFlag::limit) != 0) out.limit = number();
    if ((set & RangeFlag::revision) != 0) out.revision = number();
    if ((set & RangeFlag::sort) != 0) {
      out.sort_order = declared(SortOrder::descend);
      out.sort_target = declared(SortTarget::value);
    }
    if ((set & RangeFlag::min_mod) != 0) out.min_mod_revision = number();
    if ((set & RangeFlag::max_mod) != 0) out.max_mod_revision = number();
    if ((set & RangeFlag::min_create) != 0) out.min_create_revision = number();
    if ((set & RangeFlag::max_create) != 0) out.max_create_revision = number();
    return out;
  }

  Compare compare() {
    const auto set = flags(reader_.u8(), CompareFlag::all);
    Compare out;
    out.result = declared_or_not(CompareResult::not_equal);
    out.target = declared_or_not(CompareTarget::lease);
    out.key = text();
    if ((set & CompareFlag::range_end) != 0) out.range_end = text();
    if ((set & CompareFlag::number) != 0) out.number = number();
    if ((set & CompareFlag::value) != 0) out.value = text();
    return out;
  }

  // Lists grow element by element, so that a false count allocates nothing beyond what the input holds.
  std::vector<RequestOp> ops(std::size_t depth) {
    std::vector<RequestOp> out;
    const std::size_t count = reader_.u16();
    for (std::size_t i = 0; i < count && is_good(); ++i) {
      switch (static_cast<OpKind>(reader_.u8())) {
        case OpKind::range:
          out.push_back({range()});
          break;
        case OpKind::put:
          out.push_back({put()});
          break;
        case OpKind::delete_range:
          out.push_back({delete_range()});
          break;
        case OpKind::txn:
          out.push_back({txn(depth + 1)});
          break;
        default:
          fail(Errc::malformed);
      }
    }
    return out;
  }

  TxnRequest txn(std::size_t depth) {
    TxnRequest out;
    if (depth > txn_depth_max) {
      fail(Errc::limit_exceeded);
      return out;
    }
    const std::size_t count = reader_.u16();
    for (std::size_t i = 0; i < count && is_good(); ++i) out.compare.push_back(compare());
    if (is_good()) out.success = ops(depth);
    if (is_good()) out.failure = ops(depth);
    return out;
  }

  CompactionRequest compaction() {
    CompactionRequest out;
    out.revision = number();
    const auto physical = reader_.u8();
    if (physical > 1) fail(Errc::malformed);
    out.physical = physical == 1;
    return out;
  }

  ByteReader reader_;
  bool is_failed_ = false;
  Errc error_ = Errc::malformed;
};

}  // namespace

std::string encode_command(const Command& command) {
  std::string out;
  ByteWriter writer(out);
  if (const auto* put = std::get_if<PutRequest>(&command)) {
    out.reserve(32 + put->key.size() + put->value.size());
  }
  writer.u8(format_version);
  writer.u8(static_cast<std::uint8_t>(command.index() + 1));  // the variant's order is Kind's
  if (const auto* put = std::get_if<PutRequest>(&command)) encode(writer, *put);
  if (const auto* erase = std::get_if<DeleteRangeRequest>(&command)) encode(writer, *erase);
  if (const auto* txn = std::get_if<TxnRequest>(&command)) encode(writer, *txn, 1);
  if (const auto* compaction = std::get_if<CompactionRequest>(&command)) {
    i64(writer, compaction->revision);
    writer.u8(compaction->physical ? 1 : 0);
  }
  return out;
}

base::Result<Command> decode_command(std::string_view bytes) {
  if (bytes.size() > command_bytes_max) return Errc::limit_exceeded;
  return Decoder(bytes).command();
}

}  // namespace whitewater::kv
