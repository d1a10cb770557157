// A validator of Prometheus text exposition for the tests: the grammar of format 0.0.4 and the rules of `promtool check
// metrics` that apply to us. Returns what is wrong, one line each; nothing when all is well.
#pragma once

#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace whitewater::test {

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

// `line` is one sample; nothing when it breaks the grammar.
inline std::optional<Sample> parse_sample(const std::string& line) {
  Sample sample;
  std::size_t at = line.find_first_of("{ ");
  if (at == std::string::npos || at == 0) return std::nullopt;
  sample.name = line.substr(0, at);
  if (line[at] == '{') {
    ++at;
    while (line[at] != '}') {
      const std::size_t equals = line.find("=\"", at);
      if (equals == std::string::npos) return std::nullopt;
      const std::string label = line.substr(at, equals - at);
      std::string value;
      for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\') {
          ++at;
          if (at >= line.size() || (line[at] != '\\' && line[at] != '"' && line[at] != 'n')) return std::nullopt;
          value += line[at] == 'n' ? '\n' : line[at];
        } else {
          value += line[at];
        }
      }
      if (at + 1 >= line.size() || !sample.labels.emplace(label, value).second) return std::nullopt;
      ++at;
      if (line[at] == ',') ++at;
    }
    ++at;
  }
  if (at >= line.size() || line[at] != ' ') return std::nullopt;
  const std::string number = line.substr(at + 1);
  std::size_t used = 0;
  if (number == "+Inf" || number == "-Inf" || number == "NaN") {
    sample.value = number == "NaN" ? std::nan("") : number[0] == '+' ? INFINITY : -INFINITY;
    return sample;
  }
  try {
    sample.value = std::stod(number, &used);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  if (used != number.size()) return std::nullopt;
  return sample;
}

class ExpositionValidator {
 public:
  // Names that break a naming rule because etcd's do.
  explicit ExpositionValidator(std::set<std::string> exempt = {}) : exempt_(std::move(exempt)) {}

  std::vector<std::string> validate(const std::string& text) {
    if (!text.empty() && text.back() != '\n') complain("", "the last line has no end");
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) on_line(line);
    finish_family();
    return problems_;
  }
  [[nodiscard]] const std::vector<Sample>& samples() const { return all_; }

 private:
  void complain(const std::string& name, const std::string& what) { problems_.push_back(name + ": " + what); }

  void on_line(const std::string& line) {
    if (line.starts_with("# HELP ")) {
      finish_family();
      const std::size_t end = line.find(' ', 7);
      family_ = line.substr(7, end - 7);
      if (end == std::string::npos || end + 1 == line.size()) complain(family_, "no help");
      if (!families_.insert(family_).second) complain(family_, "a family given twice");
      if (!last_.empty() && family_ < last_) complain(family_, "families are not sorted");
      last_ = family_;
    } else if (line.starts_with("# TYPE ")) {
      const std::size_t end = line.find(' ', 7);
      if (line.substr(7, end - 7) != family_) complain(family_, "TYPE of another family than HELP");
      type_ = line.substr(end + 1);
      check_name();
    } else {
      const auto sample = parse_sample(line);
      if (!sample) return complain(family_, "a line that is no sample: " + line);
      if (!seen_.insert(line.substr(0, line.rfind(' '))).second) complain(family_, "a sample given twice: " + line);
      samples_.push_back(*sample);
      all_.push_back(*sample);
    }
  }

  void check_name() {
    if (exempt_.count(family_) != 0) return;
    const bool ends_in_total = family_.ends_with("_total");
    if (type_ == "counter" && !ends_in_total) complain(family_, "counter metrics should have \"_total\" suffix");
    if (type_ != "counter" && ends_in_total) complain(family_, "non-counter metrics should not have \"_total\" suffix");
    for (const char* suffix : {"_bucket", "_count", "_sum"}) {
      if (family_.ends_with(suffix)) complain(family_, std::string("reserved suffix ") + suffix);
    }
    for (const char* unit : {"_milliseconds", "_ms", "_kilobytes", "_minutes"}) {
      if (family_.find(unit) != std::string::npos) complain(family_, "use base unit");
    }
    for (const char c : family_) {
      if (c >= 'A' && c <= 'Z') complain(family_, "metric names should be written in 'snake_case'");
    }
  }

  void finish_family() {
    if (family_.empty()) return;
    if (type_.empty()) complain(family_, "no type");
    if (type_ == "histogram") {
      check_histogram();
    } else {
      for (const Sample& sample : samples_) {
        if (sample.name != family_) complain(family_, "a sample of another name: " + sample.name);
        if (type_ == "counter" && !(sample.value >= 0)) complain(family_, "a counter below zero");
        if (sample.labels.count("le") != 0) complain(family_, "le outside a histogram");
      }
    }
    samples_.clear();
    family_.clear();
    type_.clear();
  }

  void check_histogram() {
    struct State {
      double last_le = -INFINITY;
      double last_count = 0;
      std::optional<double> count;
      bool has_sum = false;
    };
    std::map<std::map<std::string, std::string>, State> children;
    for (const Sample& sample : samples_) {
      auto labels = sample.labels;
      const auto le = labels.extract("le");
      State& state = children[labels];
      if (sample.name == family_ + "_bucket") {
        if (le.empty()) return complain(family_, "a bucket without le");
        const double bound = le.mapped() == "+Inf" ? INFINITY : std::stod(le.mapped());
        if (!(bound > state.last_le)) complain(family_, "bounds do not grow");
        if (sample.value < state.last_count) complain(family_, "counts are not cumulative");
        state.last_le = bound;
        state.last_count = sample.value;
      } else if (sample.name == family_ + "_sum") {
        state.has_sum = true;
      } else if (sample.name == family_ + "_count") {
        state.count = sample.value;
      } else {
        complain(family_, "a sample of another name: " + sample.name);
      }
    }
    for (const auto& [labels, state] : children) {
      if (state.last_le != INFINITY) complain(family_, "no bucket +Inf");
      if (!state.has_sum || !state.count) complain(family_, "no sum or no count");
      if (state.count && *state.count != state.last_count) complain(family_, "count differs from bucket +Inf");
    }
  }

  std::set<std::string> exempt_;
  std::vector<std::string> problems_;
  std::set<std::string> families_;
  std::set<std::string> seen_;
  std::vector<Sample> samples_;
  std::vector<Sample> all_;
  std::string family_;
  std::string type_;
  std::string last_;
};

}  // namespace whitewater::test
