#include "load/http_answer.hpp"

#include <strings.h>

#include <charconv>

namespace whitewater::bench {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view head_end_mark = "\r\n\r\n";

// All of `text` as a number; false when it is none or does not fit.
bool read_number(std::string_view text, int base, std::size_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

void HttpAnswer::clear() {
  received_.clear();
  chunked_.clear();
  body_at_ = body_bytes_ = chunk_at_ = 0;
  status_ = 0;
  is_chunked_ = false;
}

HttpAnswer::State HttpAnswer::append(std::string_view bytes) {
  received_.append(bytes);
  if (body_at_ == 0) {
    const std::size_t head_end = received_.find(head_end_mark);
    if (head_end == std::string::npos) {
      return received_.size() > head_bytes_max ? State::malformed : State::incomplete;
    }
    if (read_head(head_end) == State::malformed) return State::malformed;
  }
  if (is_chunked_) return read_chunks();
  const std::size_t wanted = body_at_ + body_bytes_;
  if (received_.size() < wanted) return State::incomplete;
  return received_.size() == wanted ? State::complete : State::malformed;
}

HttpAnswer::State HttpAnswer::read_head(std::size_t head_end) {
  body_at_ = chunk_at_ = head_end + head_end_mark.size();
  std::size_t status = 0;
  const std::string_view head = std::string_view(received_).substr(0, head_end);
  if (!head.starts_with("HTTP/1.") || head.size() < 12 || !read_number(head.substr(9, 3), 10, status)) {
    return State::malformed;
  }
  status_ = static_cast<unsigned>(status);
  is_chunked_ = equals_ignoring_case(field("transfer-encoding"), "chunked");
  if (is_chunked_) return State::incomplete;
  return read_number(field("content-length"), 10, body_bytes_) && body_bytes_ <= body_bytes_max_ ? State::incomplete
                                                                                                 : State::malformed;
}

HttpAnswer::State HttpAnswer::read_chunks() {
  const std::string_view all = received_;
  while (true) {
    const std::size_t line = all.find(line_end, chunk_at_);
    if (line == std::string_view::npos) {
      return all.size() - chunk_at_ > head_bytes_max ? State::malformed : State::incomplete;
    }
    std::string_view size_text = all.substr(chunk_at_, line - chunk_at_);
    size_text = size_text.substr(0, size_text.find(';'));
    std::size_t size = 0;
    if (!read_number(size_text, 16, size) || size > body_bytes_max_ - chunked_.size()) return State::malformed;
    const std::size_t end = line + line_end.size() + size + line_end.size();
    if (all.size() < end) return State::incomplete;
    if (all.substr(end - line_end.size(), line_end.size()) != line_end) return State::malformed;  // also a trailer
    if (size == 0) return all.size() == end ? State::complete : State::malformed;
    chunked_.append(all.substr(line + line_end.size(), size));
    chunk_at_ = end;
  }
}

std::string_view HttpAnswer::body() const {
  return is_chunked_ ? std::string_view(chunked_) : std::string_view(received_).substr(body_at_, body_bytes_);
}

std::string_view HttpAnswer::field(std::string_view name) const {
  const std::string_view head = std::string_view(received_).substr(0, body_at_ - line_end.size());
  for (std::size_t at = head.find(line_end); at != std::string_view::npos; at = head.find(line_end, at)) {
    at += line_end.size();
    const std::string_view line = head.substr(at, head.find(line_end, at) - at);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!equals_ignoring_case(line.substr(0, name.size()), name)) continue;
    const std::size_t from = line.find_first_not_of(' ', name.size() + 1);
    return from == std::string_view::npos ? std::string_view{} : line.substr(from);
  }
  return {};
}

bool HttpAnswer::is_last() const { return equals_ignoring_case(field("connection"), "close"); }

}  // namespace whitewater::bench
