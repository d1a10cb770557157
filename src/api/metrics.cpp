#include "api/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <variant>

#include "base/assert.hpp"

namespace whitewater::api {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }

bool is_metric_name(std::string_view name) {
  if (name.empty() || !(is_letter(name.front()) || name.front() == ':')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_decimal(c) || c == ':'; });
}

bool is_label_name(std::string_view name) {
  if (name.empty() || !is_letter(name.front()) || name.starts_with("__") || name == "le") return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_decimal(c); });
}

void append_number(std::string& out, double value) {
  constexpr double integer_max = 9007199254740992.0;  // 2^53: up to here a double holds every integer
  std::array<char, 40> text;
  char* const end = text.data() + text.size();
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (std::abs(value) < integer_max && std::trunc(value) == value) {
    out.append(text.data(), std::to_chars(text.data(), end, static_cast<std::int64_t>(value)).ptr);
  } else {
    out.append(text.data(), std::to_chars(text.data(), end, value).ptr);
  }
}

void append_escaped(std::string& out, std::string_view text, bool is_label) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && is_label) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

}  // namespace

struct Registry::Child {
  std::variant<std::monostate, Counter, Gauge, Histogram, std::function<double()>> value;
};

struct Registry::Family {
  Kind kind;
  std::string help;
  std::vector<std::string> label_names;
  std::map<std::vector<std::string>, Child> children;
};

namespace {

// {a="1",b="2"} with one more label at the end if `le` is given; nothing when there are none.
void append_labels(std::string& out, const std::vector<std::string>& names, const std::vector<std::string>& values,
                   std::optional<double> le = std::nullopt) {
  if (names.empty() && !le) return;
  out += '{';
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += ',';
    out += names[i];
    out += "=\"";
    append_escaped(out, values[i], true);
    out += '"';
  }
  if (le) {
    if (!names.empty()) out += ',';
    out += "le=\"";
    append_number(out, *le);
    out += '"';
  }
  out += '}';
}

void append_histogram(std::string& out, std::string_view name, const std::vector<std::string>& names,
                      const std::vector<std::string>& values, const Histogram& histogram) {
  std::uint64_t cumulative = 0;
  const auto counts = histogram.counts();
  const auto bounds = histogram.upper_bounds();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    out.append(name).append("_bucket");
    append_labels(out, names, values, i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity());
    out.append(" ").append(std::to_string(cumulative)).append("\n");
  }
  out.append(name).append("_sum");
  append_labels(out, names, values);
  out += ' ';
  append_number(out, histogram.sum());
  out.append("\n").append(name).append("_count");
  append_labels(out, names, values);
  out.append(" ").append(std::to_string(cumulative)).append("\n");
}

}  // namespace

Buckets exponential_buckets(double start, double factor, std::size_t count) {
  WW_ASSERT(start > 0);
  WW_ASSERT(factor > 1);
  Buckets buckets;
  for (std::size_t i = 0; i < count; ++i) {
    buckets.push_back(start);
    start *= factor;
  }
  return buckets;
}

const Buckets& latency_buckets_seconds() {
  static const Buckets buckets{5e-6,   7e-6,  10e-6,  15e-6, 20e-6, 30e-6, 50e-6, 70e-6, 100e-6, 150e-6,
                               200e-6, 3e-4,  500e-6, 7e-4,  1e-3,  15e-4, 2e-3,  3e-3,  5e-3,   7e-3,
                               10e-3,  0.015, 0.02,   0.03,  0.05,  0.07,  0.1,   0.15,  0.2,    0.3,
                               0.5,    0.7,   1,      1.5,   2,     3,     5,     7,     10};
  return buckets;
}

Histogram::Histogram(Buckets upper_bounds) : upper_bounds_(std::move(upper_bounds)), counts_(upper_bounds_.size() + 1) {
  WW_ASSERT(upper_bounds_.size() <= histogram_buckets_max);
  WW_ASSERT(std::is_sorted(upper_bounds_.begin(), upper_bounds_.end(), std::less_equal<>()));
  for (std::size_t slot = 1; slot < slot_count; ++slot) {
    const auto lowest = std::bit_cast<double>((slot_lowest + slot) << slot_shift);
    const auto bound = std::lower_bound(upper_bounds_.begin(), upper_bounds_.end(), lowest);
    first_[slot] = static_cast<std::uint8_t>(bound - upper_bounds_.begin());
  }
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (const std::uint64_t n : counts_) total += n;
  return total;
}

double Histogram::quantile(double fraction) const {
  const std::uint64_t total = count();
  if (total == 0 || upper_bounds_.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double rank = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(total);
  double before = 0;
  for (std::size_t i = 0; i < upper_bounds_.size(); ++i) {
    const auto here = static_cast<double>(counts_[i]);
    if (here > 0 && before + here >= rank) {
      const double low = i == 0 ? 0 : upper_bounds_[i - 1];
      return low + (upper_bounds_[i] - low) * std::max(0.0, rank - before) / here;
    }
    before += here;
  }
  return upper_bounds_.back();
}

Registry::Registry() = default;
Registry::~Registry() = default;

Registry::Family& Registry::family(Kind kind, std::string_view name, std::string_view help, const Labels& labels) {
  WW_ASSERT(is_metric_name(name));
  WW_ASSERT(!help.empty());
  auto at = families_.find(name);
  if (at == families_.end()) {
    auto made = std::make_unique<Family>();
    made->kind = kind;
    made->help = help;
    for (const auto& [label, value] : labels) {
      WW_ASSERT(is_label_name(label));
      made->label_names.push_back(label);
    }
    at = families_.emplace(std::string(name), std::move(made)).first;
  }
  Family& found = *at->second;
  WW_ASSERT(found.kind == kind);
  WW_ASSERT(found.help == help);
  WW_ASSERT(found.label_names.size() == labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) WW_ASSERT(found.label_names[i] == labels[i].first);
  return found;
}

Registry::Child& Registry::child(Family& family, Labels labels) {
  std::vector<std::string> values;
  for (auto& label : labels) values.push_back(std::move(label.second));
  auto at = family.children.find(values);
  if (at == family.children.end()) {
    if (family.children.size() >= family_children_max) values.assign(values.size(), "other");
    at = family.children.try_emplace(values).first;
  }
  return at->second;
}

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  Family& parent = family(Kind::counter, name, help, labels);
  Child& found = child(parent, std::move(labels));
  if (std::holds_alternative<std::monostate>(found.value)) found.value.emplace<Counter>();
  WW_ASSERT(std::holds_alternative<Counter>(found.value));
  return std::get<Counter>(found.value);
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  Family& parent = family(Kind::gauge, name, help, labels);
  Child& found = child(parent, std::move(labels));
  if (std::holds_alternative<std::monostate>(found.value)) found.value.emplace<Gauge>();
  WW_ASSERT(std::holds_alternative<Gauge>(found.value));
  return std::get<Gauge>(found.value);
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, const Buckets& upper_bounds,
                               Labels labels) {
  Family& parent = family(Kind::histogram, name, help, labels);
  Child& found = child(parent, std::move(labels));
  if (std::holds_alternative<std::monostate>(found.value)) found.value.emplace<Histogram>(upper_bounds);
  WW_ASSERT(std::holds_alternative<Histogram>(found.value));
  return std::get<Histogram>(found.value);
}

void Registry::counter_callback(std::string_view name, std::string_view help, std::function<double()> read,
                                Labels labels) {
  Family& parent = family(Kind::counter, name, help, labels);
  Child& found = child(parent, std::move(labels));
  WW_ASSERT(std::holds_alternative<std::monostate>(found.value));
  found.value = std::move(read);
}

void Registry::gauge_callback(std::string_view name, std::string_view help, std::function<double()> read,
                              Labels labels) {
  Family& parent = family(Kind::gauge, name, help, labels);
  Child& found = child(parent, std::move(labels));
  WW_ASSERT(std::holds_alternative<std::monostate>(found.value));
  found.value = std::move(read);
}

void Registry::on_scrape(std::function<void()> prepare) { prepare_.push_back(std::move(prepare)); }

std::string Registry::expose() const {
  for (const auto& prepare : prepare_) prepare();
  std::string out;
  for (const auto& [name, family] : families_) {
    out.append("# HELP ").append(name).append(" ");
    append_escaped(out, family->help, false);
    out.append("\n# TYPE ").append(name);
    switch (family->kind) {
      case Kind::counter:
        out += " counter\n";
        break;
      case Kind::gauge:
        out += " gauge\n";
        break;
      case Kind::histogram:
        out += " histogram\n";
        break;
    }
    for (const auto& [values, child] : family->children) {
      if (const auto* histogram = std::get_if<Histogram>(&child.value)) {
        append_histogram(out, name, family->label_names, values, *histogram);
        continue;
      }
      out += name;
      append_labels(out, family->label_names, values);
      out += ' ';
      if (const auto* counter = std::get_if<Counter>(&child.value)) append_number(out, counter->value());
      if (const auto* gauge = std::get_if<Gauge>(&child.value)) append_number(out, gauge->value());
      if (const auto* read = std::get_if<std::function<double()>>(&child.value)) append_number(out, (*read)());
      out += '\n';
    }
  }
  return out;
}

}  // namespace whitewater::api
