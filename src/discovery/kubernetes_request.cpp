#include "discovery/kubernetes_request.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

namespace whitewater::discovery {

namespace {

std::string pods_target(std::string_view name_space, std::string_view selector) {
  std::string target = "/api/v1/namespaces/" + url_encoded(name_space) + "/pods?";
  if (!selector.empty()) target += "labelSelector=" + url_encoded(selector) + "&";
  return target;
}

}  // namespace

std::string url_encoded(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string target_of(const PodListRequest& list, std::string_view name_space, std::string_view selector) {
  auto target = pods_target(name_space, selector) + "limit=" + std::to_string(kubernetes_page_pods);
  // A further page belongs to the version of the first one; naming a version beside it is an error.
  if (!list.continue_token.empty()) return target + "&continue=" + url_encoded(list.continue_token);
  if (list.resource_version.empty()) return target;
  target += "&resourceVersion=" + url_encoded(list.resource_version);
  return list.resource_version == "0" ? target : target + "&resourceVersionMatch=NotOlderThan";
}

std::string target_of(const PodWatchRequest& watch, std::string_view name_space, std::string_view selector) {
  const auto timeout_s = std::chrono::duration_cast<base::seconds>(watch.timeout).count();
  return pods_target(name_space, selector) +
         "watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(timeout_s) +
         "&resourceVersion=" + url_encoded(watch.resource_version);
}

std::string stateful_set_target(std::string_view name_space, std::string_view name) {
  return "/apis/apps/v1/namespaces/" + url_encoded(name_space) + "/statefulsets/" + url_encoded(name);
}

std::string pod_target(std::string_view name_space, std::string_view name) {
  return "/api/v1/namespaces/" + url_encoded(name_space) + "/pods/" + url_encoded(name);
}

std::string role_patch(std::string_view uid, std::string_view role) {
  boost::json::object metadata{{"labels", boost::json::object{{role_label, role}}}};
  if (!uid.empty()) metadata["uid"] = uid;
  return boost::json::serialize(boost::json::object{{"metadata", std::move(metadata)}});
}

std::string access_review_body(const AccessQuestion& question, std::string_view name_space) {
  boost::json::object attributes{{"namespace", name_space}, {"verb", question.verb}, {"resource", question.resource}};
  if (!question.group.empty()) attributes["group"] = question.group;
  if (!question.name.empty()) attributes["name"] = question.name;
  return boost::json::serialize(boost::json::object{{"apiVersion", "authorization.k8s.io/v1"},
                                                    {"kind", "SelfSubjectAccessReview"},
                                                    {"spec", boost::json::object{{"resourceAttributes", attributes}}}});
}

std::string describe(const AccessQuestion& question) {
  auto text = question.verb + " " + question.resource;
  if (!question.group.empty()) text += "." + question.group;
  if (!question.name.empty()) text += " " + question.name;
  return text;
}

base::Duration parse_retry_after(std::string_view field) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), seconds);
  if (error != std::errc() || end != field.data() + field.size()) return base::Duration(0);
  return base::seconds(seconds);
}

std::string describe_failure(unsigned http_status, std::string_view body) {
  if (const auto status = decode_status(body); status && status->code != 0) return describe(*status);
  return "HTTP " + std::to_string(http_status);
}

}  // namespace whitewater::discovery
