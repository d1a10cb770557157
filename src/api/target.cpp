#include "api/target.hpp"

#include <charconv>

namespace whitewater::api {
namespace {

// Items that a query may have; the rest is not looked at.
constexpr std::size_t query_items_max = 64;

std::optional<std::string> decode_percent(std::string_view text, bool is_query) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && is_query) {
      out.push_back(' ');
    } else if (text[i] == '%') {
      unsigned value = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      const char* from = text.data() + i + 1;
      if (std::from_chars(from, from + 2, value, 16).ptr != from + 2) return std::nullopt;
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = target.find_first_of("/?");
    target = end == std::string_view::npos ? "/" : target.substr(end);
  }
  Target parsed;
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) {
    parsed.has_query = true;
    parsed.query = target.substr(question + 1);
    target = target.substr(0, question);
  }
  if (!target.starts_with('/')) return std::nullopt;
  auto path = decode_percent(target, false);
  if (!path) return std::nullopt;
  parsed.path = std::move(*path);
  parsed.raw_path = target;
  return parsed;
}

std::string clean_path(std::string_view path) {
  std::string clean;
  bool ends_in_slash = false;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    ends_in_slash = end < path.size();  // a final "." or ".." leaves no slash, as in Go's path.Clean
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      clean.resize(clean.empty() ? 0 : clean.rfind('/'));
      continue;
    }
    clean += '/';
    clean += part;
  }
  if (clean.empty()) return "/";
  if (ends_in_slash) clean += '/';
  return clean;
}

QueryItems parse_query(std::string_view query) {
  QueryItems items;
  while (!query.empty() && items.size() < query_items_max) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(item.size() + 1, query.size()));
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    auto name = decode_percent(item.substr(0, equals), true);
    auto value = decode_percent(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1), true);
    if (name && value) items.emplace_back(std::move(*name), std::move(*value));
  }
  return items;
}

}  // namespace whitewater::api
