// core::Message to bytes and back. Decoding accepts any bytes: every count and length is held against core/messages.hpp
// before memory is taken, and what comes out satisfies what the types promise (contiguous entries, known enumerators).
// Payloads of decoded entries are slices of one shared buffer per frame. The formats are in docs/wire-protocol.md.
// Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "core/messages.hpp"

namespace whitewater::net {

// Where the encoder puts a message: small bytes in line, large payloads by reference.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual std::string& inline_bytes() = 0;
  virtual void payload(const base::SharedBytes& bytes) = 0;
};

void encode_message(const core::Message& message, MessageSink& sink);
// One contiguous string (tests, fuzzing, benchmarks).
[[nodiscard]] std::string encode_message(const core::Message& message);
// The encoded size, without encoding.
[[nodiscard]] std::size_t encoded_size_bytes(const core::Message& message);

// Gives out slices of a frame's payload. A payload without an owner is copied once, when the first slice is asked for,
// so that a frame without entries costs no allocation and one with a thousand costs one.
class SliceSource {
 public:
  SliceSource(std::string_view bytes, std::shared_ptr<const void> owner) : bytes_(bytes), owner_(std::move(owner)) {}
  // `part` must lie within the bytes.
  [[nodiscard]] base::SharedBytes slice(std::string_view part);

 private:
  std::string_view bytes_;
  std::shared_ptr<const void> owner_;
  const char* shared_begin_ = nullptr;
};

// malformed, limit_exceeded, or unsupported_version for a kind of message that this binary does not know.
[[nodiscard]] base::Result<core::Message> decode_message(std::string_view bytes, SliceSource& slices);
// The payload of a `messages` frame: { u32 length, message } until its end. Appends to `out`.
[[nodiscard]] base::Result<void> decode_messages(std::string_view payload, const std::shared_ptr<const void>& owner,
                                                 std::vector<core::Message>& out);

}  // namespace whitewater::net
