#include "discovery/peers_file.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <set>

#include "discovery/founders.hpp"

namespace whitewater::discovery {

namespace json = boost::json;
using base::Result;

namespace {

// The last words of nslookup's error lines, which a script that takes the last field of a line makes a host of:
// "** server can't find _raft._tcp.…: NXDOMAIN", "*** Can't find _raft._tcp.…: No answer".
constexpr std::array<std::string_view, 15> resolver_words{"NXDOMAIN", "SERVFAIL", "REFUSED",   "FORMERR", "NOTIMP",
                                                          "YXDOMAIN", "YXRRSET",  "NXRRSET",   "NOTAUTH", "NOTZONE",
                                                          "BADVERS",  "NOERROR",  "NOTAUTHED", "answer",  "error"};

std::string shown(std::string_view entry) {
  constexpr std::size_t shown_bytes_max = 80;
  std::string text = "\"";
  for (const char c : entry.substr(0, shown_bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte >= 0x20 && byte < 0x7f ? c : '?';
  }
  return text + (entry.size() > shown_bytes_max ? "...\"" : "\"");
}

// Commas without an element between them, and those before the end: what a shell loop leaves behind. One pass; texts
// keep theirs.
std::string without_empty_elements(std::string_view text) {
  std::string repaired;
  repaired.reserve(text.size());
  bool is_in_text = false;
  bool is_escaped = false;
  std::size_t comma = std::string::npos;  // one that waits for an element
  bool wants_element = true;
  for (const char c : text) {
    if (is_in_text) {
      repaired += c;
      is_in_text = is_escaped || c != '"';
      is_escaped = !is_escaped && c == '\\';
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      repaired += c;
      continue;
    }
    if (c == ',') {
      if (wants_element) continue;  // the second of two, or the first of a list
      comma = repaired.size();
      wants_element = true;
      repaired += c;
      continue;
    }
    if ((c == ']' || c == '}') && comma != std::string::npos) repaired[comma] = ' ';
    comma = std::string::npos;
    wants_element = c == '[' || c == '{' || c == ':';
    is_in_text = c == '"';
    repaired += c;
  }
  return repaired;
}

// "fd00::5:8090": kubectl's variant of the script puts no brackets around an IPv6 address. As an address of its own it
// would be a very unlikely one; with nine groups it is none.
Result<HostPort> parse_place(std::string_view text, std::uint16_t default_port) {
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos && !text.starts_with('[')) {
    const auto host = text.substr(0, colon);
    const auto port = text.substr(colon + 1);
    const bool is_meant = port == std::to_string(default_port) || !is_ip_literal(text);
    if (host.find(':') != std::string_view::npos && is_ip_literal(host) && is_meant) {
      return parse_host_port("[" + std::string(host) + "]:" + std::string(port));
    }
  }
  return parse_host_port(text, default_port);
}

struct Reader {
  std::uint16_t default_port;
  PeersFile file;
  std::set<HostPort> addresses;
  std::size_t bad_count = 0;
  std::string examples;  // of bad entries

  void complain(std::string_view entry, const std::string& why) {
    if (++bad_count <= bad_entries_max) file.bad.push_back(shown(entry) + " " + why);
    constexpr std::size_t examples_max = 3;
    if (bad_count <= examples_max) examples += (examples.empty() ? "" : ", ") + shown(entry);
  }

  void read_entry(const json::value& value) {
    if (!value.is_string()) return complain(json::serialize(value), "is no text \"host:port\"");
    const std::string_view text(value.get_string());
    std::string_view name;
    std::string_view place = text;
    if (const auto equals = text.find('='); equals != std::string_view::npos) {
      name = text.substr(0, equals);
      place = text.substr(equals + 1);
      if (!is_host_valid(name)) return complain(text, "is not host:port or name=host:port");
    }
    if (place.empty() || place.starts_with(':')) {
      return complain(text, "has no host: the pod had no address yet when the file was written");
    }
    auto address = parse_place(place, default_port);
    if (!address) return complain(text, "is not host:port or name=host:port");
    const auto is_word = std::find(resolver_words.begin(), resolver_words.end(), address->host) != resolver_words.end();
    if (is_word) {
      return complain(text,
                      "is the end of an error message of nslookup, not a host: the service had no record yet when the "
                      "file was written");
    }
    if (file.peers.size() == candidates_max) return complain(text, "is above the limit of 256 entries");
    if (!addresses.insert(*address).second) return;
    auto label = name.empty() ? pod_name_of(address->host) : std::string(name);
    if (is_ip_literal(label)) label = describe(*address);
    file.peers.push_back(make_candidate(std::move(label), std::move(*address)));
  }

  void read_object(const json::object& document) {
    if (const auto* expect = document.if_contains("expect")) {
      boost::system::error_code code;
      const auto number = expect->to_number<std::uint32_t>(code);
      if (code || number > founders_max) {
        complain("expect", "is not a number from 0 to " + std::to_string(founders_max));
      } else {
        file.expect = number;
      }
    }
    if (const auto* token = document.if_contains("cluster")) {
      if (token->is_string() && token->get_string().size() <= token_bytes_max) {
        file.token = std::string(token->get_string());
      } else {
        complain("cluster", "is not a text of at most " + std::to_string(token_bytes_max) + " bytes");
      }
    }
    const auto* peers = document.if_contains("peers");
    if (peers == nullptr || !peers->is_array()) {
      file.problem = "it holds no list \"peers\"";
      return;
    }
    for (const auto& entry : peers->get_array()) read_entry(entry);
    if (file.peers.empty()) {
      file.problem =
          peers->get_array().empty() ? "its list of peers is empty" : "none of its entries is a peer: " + examples;
    }
  }
};

}  // namespace

PeersFile parse_peers_file(std::string_view text, std::uint16_t default_port) {
  Reader reader{default_port, {}, {}, 0, {}};
  if (text.size() > peers_file_bytes_max) {
    reader.file.problem = "it is larger than 1 MiB";
    return std::move(reader.file);
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    reader.file.problem = "it is empty";
    return std::move(reader.file);
  }
  boost::system::error_code code;
  json::parse_options options;
  options.max_depth = 8;
  const auto document = json::parse(without_empty_elements(text), code, {}, options);
  if (code) {
    reader.file.problem = "it is not JSON (" + code.message() + ")";
  } else if (!document.is_object()) {
    reader.file.problem = "it holds no list \"peers\"";
  } else {
    reader.read_object(document.get_object());
  }
  if (reader.bad_count > bad_entries_max) {
    reader.file.bad.push_back("and " + std::to_string(reader.bad_count - bad_entries_max) + " more entries");
  }
  return std::move(reader.file);
}

std::string format_peers_file(const std::vector<Candidate>& peers, std::uint32_t expect) {
  json::array list;
  for (const auto& peer : peers) {
    const auto place = describe(peer.address);
    const bool is_named = is_ip_literal(peer.address.host) ? peer.name != place && peer.name != peer.address.host
                                                           : peer.name != pod_name_of(peer.address.host);
    list.emplace_back(is_named ? peer.name + "=" + place : place);
  }
  json::object document{{"peers", std::move(list)}};
  if (expect != 0) document["expect"] = expect;
  return json::serialize(document) + "\n";
}

}  // namespace whitewater::discovery
