#include "net/http_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "base/assert.hpp"

namespace whitewater::net {
namespace {

constexpr std::size_t fields_reserved = 8;  // curl sends four to six
constexpr std::size_t text_bytes_reserved = 256;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return lower(a) == lower(b); });
}

bool is_token(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void HttpHeaders::add(std::string_view name, std::string_view value) {
  if (fields_.empty()) {
    fields_.reserve(fields_reserved);
    text_.reserve(text_bytes_reserved);
  }
  fields_.push_back({.offset = static_cast<std::uint32_t>(text_.size()),
                     .name_bytes = static_cast<std::uint32_t>(name.size()),
                     .value_bytes = static_cast<std::uint32_t>(value.size())});
  text_.append(name).append(value);
}

std::pair<std::string_view, std::string_view> HttpHeaders::at(std::size_t position) const {
  WW_ASSERT(position < fields_.size());
  const auto& field = fields_[position];
  const std::string_view text(text_);
  return {text.substr(field.offset, field.name_bytes), text.substr(field.offset + field.name_bytes, field.value_bytes)};
}

const HttpHeaders::Field* HttpHeaders::find(std::string_view name) const {
  for (const auto& field : fields_) {
    if (equals_ignoring_case(std::string_view(text_).substr(field.offset, field.name_bytes), name)) return &field;
  }
  return nullptr;
}

std::string_view HttpHeaders::get(std::string_view name) const {
  const auto* field = find(name);
  if (field == nullptr) return {};
  return std::string_view(text_).substr(field->offset + field->name_bytes, field->value_bytes);
}

bool HttpHeaders::contains(std::string_view name) const { return find(name) != nullptr; }

void HttpHeaders::clear() {
  text_.clear();
  fields_.clear();
}

std::string_view HttpRequest::path() const { return std::string_view(target).substr(0, target.find('?')); }

std::string_view HttpRequest::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Request Entity Too Large";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return {};
  }
}

bool is_bodiless(unsigned status) { return status < 200 || status == 204 || status == 304; }

bool is_field_text(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void append_head(const HttpResponse& response, const ResponseHead& head, std::string& out) {
  out.append(head.version == 10 ? "HTTP/1.0 " : "HTTP/1.1 ");
  append_number(out, response.status);
  out.append(" ").append(reason_phrase(response.status)).append("\r\n");
  if (!response.content_type.empty() && is_field_text(response.content_type)) {
    append_field(out, "Content-Type", response.content_type);
  }
  if (!head.date.empty()) append_field(out, "Date", head.date);
  for (const auto& [name, value] : response.headers) {
    if (is_token(name) && is_field_text(value)) append_field(out, name, value);
  }
  if (!is_bodiless(response.status)) {
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  if (!head.keep_alive) {
    append_field(out, "Connection", "close");
  } else if (head.version == 10) {
    append_field(out, "Connection", "keep-alive");
  }
  out.append("\r\n");
}

std::string format_http_date(std::int64_t seconds_since_epoch) {
  static constexpr std::array<const char*, 7> weekdays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds(seconds_since_epoch)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  std::array<char, 64> text;
  const auto size = std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                                  weekdays[weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                                  months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                                  static_cast<int>(clock.seconds().count()));
  WW_ASSERT(size > 0);
  return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace whitewater::net
