// The words for the options that are a choice. Used by the table, the loader and the help; pure.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "server/options.hpp"

namespace whitewater::server {

template <class Enum>
using ChoiceNames = std::vector<std::pair<std::string_view, Enum>>;

template <class Enum>
const ChoiceNames<Enum>& choice_names();

template <>
inline const ChoiceNames<DiscoveryMethod>& choice_names() {
  static const ChoiceNames<DiscoveryMethod> names{{"auto", DiscoveryMethod::automatic},
                                                  {"static", DiscoveryMethod::static_list},
                                                  {"file", DiscoveryMethod::file},
                                                  {"kubernetes", DiscoveryMethod::kubernetes},
                                                  {"dns", DiscoveryMethod::dns}};
  return names;
}
template <>
inline const ChoiceNames<LogStrategyChoice>& choice_names() {
  static const ChoiceNames<LogStrategyChoice> names{{"auto", LogStrategyChoice::automatic},
                                                    {"uring", LogStrategyChoice::uring},
                                                    {"thread", LogStrategyChoice::thread},
                                                    {"buffered", LogStrategyChoice::buffered}};
  return names;
}
template <>
inline const ChoiceNames<ReactorChoice>& choice_names() {
  static const ChoiceNames<ReactorChoice> names{
      {"auto", ReactorChoice::automatic}, {"uring", ReactorChoice::uring}, {"epoll", ReactorChoice::epoll}};
  return names;
}
template <>
inline const ChoiceNames<LogFormatChoice>& choice_names() {
  static const ChoiceNames<LogFormatChoice> names{
      {"auto", LogFormatChoice::automatic}, {"json", LogFormatChoice::json}, {"text", LogFormatChoice::text}};
  return names;
}
template <>
inline const ChoiceNames<LogLevelChoice>& choice_names() {
  static const ChoiceNames<LogLevelChoice> names{{"debug", LogLevelChoice::debug},
                                                 {"info", LogLevelChoice::info},
                                                 {"warn", LogLevelChoice::warn},
                                                 {"error", LogLevelChoice::error}};
  return names;
}

template <class Enum>
[[nodiscard]] std::optional<Enum> choice_of(std::string_view text) {
  for (const auto& [name, value] : choice_names<Enum>()) {
    if (name == text) return value;
  }
  return std::nullopt;
}

template <class Enum>
[[nodiscard]] std::string_view choice_name(Enum value) {
  for (const auto& [name, candidate] : choice_names<Enum>()) {
    if (candidate == value) return name;
  }
  return "?";
}

}  // namespace whitewater::server
