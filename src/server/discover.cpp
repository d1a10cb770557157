#include "server/discover.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "discovery/peers_file.hpp"
#include "net/task_group.hpp"
#include "net/timeout.hpp"
#include "server/cli.hpp"
#include "server/config.hpp"
#include "server/discover_report.hpp"
#include "server/discovery_setup.hpp"
#include "server/launcher.hpp"
#include "server/options_check.hpp"
#include "server/options_enum.hpp"

namespace whitewater::server {
namespace {

constexpr base::Duration ask_again_after = base::milliseconds(500);
constexpr base::Duration single_look_max = base::seconds(10);
constexpr base::Duration review_wait_max = base::seconds(1);
constexpr base::Duration review_poll_interval = base::milliseconds(10);

// Keeps what a source reports, for the method's notes.
class NoteSink final : public base::LogSink {
 public:
  explicit NoteSink(std::vector<std::string>& notes) : notes_(notes) {}
  [[nodiscard]] bool is_enabled(base::LogLevel level) const override { return level >= base::LogLevel::warn; }
  void write(base::LogLine line) override {
    constexpr std::size_t notes_max = 32;
    if (is_enabled(line.level) && notes_.size() < notes_max) notes_.push_back(std::move(line.message));
  }

 private:
  std::vector<std::string>& notes_;
};

// What the service account lacks is known a moment after the first list, and may be why that list is all there is: the
// look is not over before the verbs that are missing are among the notes.
net::Awaitable<void> wait_for_review(const discovery::KubernetesSource* source) {
  const auto end = net::now() + review_wait_max;
  while (source->access().empty() && net::now() < end) co_await net::sleep_for(review_poll_interval);
}

// Asks one method until it sees `wanted` peers or the time is over; with no time, once.
net::Awaitable<void> look(net::Executor executor, const DiscoverCommand* command, Options options, DiscoverView* view,
                          bool is_waiting) {
  NoteSink sink(view->notes);
  const MadeSource made =
      make_source(executor, options, base::Rng(static_cast<std::uint64_t>(net::now().since_start.count())), sink);
  const auto& source = made.source;
  net::TaskGroup background(executor);
  background.spawn(source->run());
  const auto deadline =
      net::now() + base::Duration(is_waiting ? command->longest_wait() : std::chrono::milliseconds(0));
  std::string last_progress;
  while (true) {
    const auto remaining = deadline - net::now();
    const auto answer = co_await net::with_timeout(source->discover(),
                                                   is_waiting ? std::max(remaining, ask_again_after) : single_look_max);
    view->set = source->last_known();
    view->error = answer ? boost::system::error_code() : answer.error();
    if (!answer && view->set.last_error.empty()) view->set.last_error = "no answer in time";
    if (counted_peers(view->set).size() >= command->wanted() || net::now() >= deadline) break;
    if (auto progress = format_progress(*view, command->wanted()); progress != last_progress) {
      std::fprintf(stderr, "whitewater discover: %s\n", progress.c_str());
      last_progress = std::move(progress);
    }
    co_await net::sleep_for(std::min<base::Duration>(ask_again_after, deadline - net::now()));
  }
  if (made.kubernetes != nullptr) co_await wait_for_review(made.kubernetes);
  background.cancel();
  co_await background.join();
}

int finish(const DiscoverCommand& command, const Options& options, const std::vector<DiscoverView>& views) {
  const DiscoverView* chosen = nullptr;
  for (const auto& view : views) {
    if (view.is_chosen) chosen = &view;
    std::fputs(format_view(view).c_str(), stdout);
  }
  if (std::fflush(stdout) != 0) return static_cast<int>(CliExit::failure);
  if (chosen == nullptr) return static_cast<int>(CliExit::ok);
  const auto peers = counted_peers(chosen->set);
  if (peers.size() < command.wanted()) {
    std::fprintf(stderr, "whitewater discover: %s%s\n", format_progress(*chosen, command.wanted()).c_str(),
                 command.output.empty() ? "" : "; no file was written");
    return static_cast<int>(CliExit::not_found);
  }
  if (command.output.empty()) return static_cast<int>(CliExit::ok);
  const auto expect = options.bootstrap_expect > 1 ? options.bootstrap_expect : 0;
  const auto problem =
      write_whole_file(command.output, discovery::format_peers_file(peers, static_cast<std::uint32_t>(expect)));
  if (!problem.empty()) {
    std::fprintf(stderr, "whitewater discover: %s: %s\n", command.output.c_str(), problem.c_str());
    return static_cast<int>(CliExit::failure);
  }
  std::printf("wrote %zu peers to %s\n", peers.size(), command.output.c_str());
  return static_cast<int>(CliExit::ok);
}

std::vector<DiscoverView> views_of(const DiscoverCommand& command, const Options& options) {
  const auto chosen = effective_discovery(options);
  std::vector<DiscoverView> views;
  const auto add = [&](DiscoveryMethod method) {
    Options as_method = options;
    as_method.discovery = method;
    DiscoverView view;
    view.method = method;
    view.is_chosen = method == chosen;
    view.reason = view.is_chosen ? reason_of_method(options) : "could be used: --discovery chooses it";
    view.place = describe_place(as_method);
    views.push_back(std::move(view));
  };
  add(chosen);
  if (command.method || !command.output.empty()) return views;
  for (const auto method : usable_methods(options)) {
    // Outside a cluster there is no API server to ask.
    const bool has_api = method != DiscoveryMethod::kubernetes || !options.kubernetes_api.empty();
    if (method != chosen && has_api) add(method);
  }
  return views;
}

int discover(const DiscoverCommand& command, const Options& options, char** argv) {
  const Reactor reactor = choose_reactor(options, argv);
  net::IoContext& context = *reactor.context;
  auto views = views_of(command, options);
  net::TaskGroup tasks(context.get_executor());
  for (auto& view : views) {
    Options as_method = options;
    as_method.discovery = view.method;
    const bool is_waiting = command.is_waiting() && view.is_chosen;
    tasks.spawn(look(context.get_executor(), &command, std::move(as_method), &view, is_waiting));
  }
  std::exception_ptr failure;
  boost::asio::co_spawn(context.get_executor(), tasks.join(),
                        [&](const std::exception_ptr& error) { failure = error; });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return finish(command, options, views);
}

}  // namespace

std::string write_whole_file(const std::string& path, const std::string& text) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const std::string temporary = path + ".new-" + std::to_string(::getpid());
  const auto failed = [&](const std::string& what) {
    std::string problem = what + ": " + std::strerror(errno);
    ::unlink(temporary.c_str());
    return problem;
  };
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return std::string("cannot create a file beside it: ") + std::strerror(errno);
  std::size_t written = 0;
  while (written < text.size()) {
    const auto count = ::write(file, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    written += static_cast<std::size_t>(count);
  }
  // For whoever reads it: an init container's user need not be the member's.
  const bool is_safe = written == text.size() && ::fchmod(file, 0644) == 0 && ::fsync(file) == 0;
  const int write_error = errno;
  if (::close(file) != 0 || !is_safe) {
    if (!is_safe) errno = write_error;
    return failed("cannot be written");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("cannot be replaced");
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    // The name itself; a folder that cannot be synced still holds the whole file.
    static_cast<void>(::fsync(directory));
    ::close(directory);
  }
  return {};
}

std::optional<int> run_discover_command(int argc, char** argv) {
  if (argc < 2 || std::strcmp(argv[1], "discover") != 0) return std::nullopt;
  const auto parsed = parse_discover({argv + 2, argv + argc});
  if (const auto* text = std::get_if<CliText>(&parsed)) {
    std::fputs(text->text.c_str(), text->is_error ? stderr : stdout);
    return static_cast<int>(text->is_error ? CliExit::usage : CliExit::ok);
  }
  const auto& command = std::get<DiscoverCommand>(parsed);
  auto arguments = command.arguments;
  if (command.method) arguments.push_back("--discovery=" + std::string(choice_name(*command.method)));
  const LoadedOptions loaded = load_options(gather_option_inputs(std::move(arguments)));
  for (const auto& error : loaded.errors) std::fprintf(stderr, "whitewater discover: %s\n", error.c_str());
  if (!loaded.errors.empty()) return static_cast<int>(CliExit::usage);
  try {
    return discover(command, loaded.options, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "whitewater discover: %s\n", failure.what());
    return static_cast<int>(CliExit::failure);
  }
}

}  // namespace whitewater::server
