// HttpAnswer: one HTTP/1.1 answer read piece by piece, with a Content-Length or in chunks, which is what etcd's gateway
// and Whitewater send. A few hundred nanoseconds for the answer to a put: that is why it is not Beast's parser.
// Bounded. No socket here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace whitewater::bench {

class HttpAnswer {
 public:
  enum class State : std::uint8_t { incomplete, complete, malformed };
  static constexpr std::size_t head_bytes_max = 64UL << 10;

  explicit HttpAnswer(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

  void clear();
  // Bytes behind the end of the answer are malformed: nobody asked for them.
  State append(std::string_view bytes);

  // Once complete; valid until clear().
  [[nodiscard]] unsigned status() const { return status_; }
  [[nodiscard]] std::string_view body() const;
  [[nodiscard]] std::string_view field(std::string_view name) const;  // of the head, case ignored; empty when missing
  [[nodiscard]] bool is_last() const;                                 // the server closes the connection after it
  [[nodiscard]] const std::string& received() const { return received_; }

 private:
  State read_head(std::size_t head_end);
  State read_chunks();

  std::size_t body_bytes_max_;
  std::string received_;  // everything, as it came
  std::string chunked_;   // the body, when it came in chunks
  std::size_t body_at_ = 0;
  std::size_t body_bytes_ = 0;
  std::size_t chunk_at_ = 0;  // where the next chunk's size line begins
  unsigned status_ = 0;
  bool is_chunked_ = false;
};

}  // namespace whitewater::bench
