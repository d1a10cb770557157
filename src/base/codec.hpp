// Little-endian writer and bounds-checked reader for every format of ours (log records, peer frames, commands, meta
// file). The reader never reads past its input and never allocates: a failed read latches `ok() == false` and yields
// zeros, so a decoder checks once at the end. Lengths are compared with a stated bound before use.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace whitewater::base {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the formats are little-endian and so are the supported machines");

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}
  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u16(std::uint16_t v) { raw(&v, sizeof v); }
  void u32(std::uint32_t v) { raw(&v, sizeof v); }
  void u64(std::uint64_t v) { raw(&v, sizeof v); }
  void bytes(std::string_view v) { out_.append(v); }
  // A u32 length followed by the bytes.
  void blob(std::string_view v) {
    u32(static_cast<std::uint32_t>(v.size()));
    bytes(v);
  }

 private:
  void raw(const void* p, std::size_t n) { out_.append(static_cast<const char*>(p), n); }
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && in_.empty(); }
  [[nodiscard]] std::size_t remaining_bytes() const { return in_.size(); }
  std::uint8_t u8() { return scalar<std::uint8_t>(); }
  std::uint16_t u16() { return scalar<std::uint16_t>(); }
  std::uint32_t u32() { return scalar<std::uint32_t>(); }
  std::uint64_t u64() { return scalar<std::uint64_t>(); }
  std::string_view bytes(std::size_t n) {
    if (!ok_ || n > in_.size()) {
      ok_ = false;
      return {};
    }
    auto out = in_.substr(0, n);
    in_.remove_prefix(n);
    return out;
  }
  // The twin of ByteWriter::blob; fails when the length is over `max_bytes`.
  std::string_view blob(std::size_t max_bytes) {
    const std::size_t n = u32();
    if (n > max_bytes) {
      ok_ = false;
      return {};
    }
    return bytes(n);
  }

 private:
  template <class T>
  T scalar() {
    T v{};
    const auto b = bytes(sizeof v);
    if (ok_) std::memcpy(&v, b.data(), sizeof v);
    return v;
  }
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace whitewater::base
