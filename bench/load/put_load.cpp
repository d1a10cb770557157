#include "load/put_load.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "base/rng.hpp"
#include "load/addresses.hpp"
#include "load/connection.hpp"
#include "load/put_request.hpp"
#include "load/record.hpp"
#include "load/schedule.hpp"
#include "load/system.hpp"
#include "net/backoff.hpp"

namespace whitewater::bench {
namespace {

using base::Duration;
using base::Instant;

constexpr std::uint64_t timer_mark = std::uint64_t{1} << 62;
constexpr int tick_ms = 5;  // how late a time-out or a new attempt may be
constexpr Duration connect_timeout = base::seconds(1);
constexpr Duration backoff_min = base::milliseconds(20);  // half of it to all of it, so from 10 ms
constexpr Duration backoff_max = base::milliseconds(100);
// How long after the end puts of an open loop are still sent that this process itself is late with.
constexpr Duration own_lateness = base::milliseconds(100);

Duration duration_of(double seconds) { return Duration(static_cast<std::int64_t>(seconds * 1e9)); }

// One connection and the put that is under way on it.
struct Lane {
  Lane(int epoll, std::size_t index, base::Rng rng)
      : connection(epoll, index), turn(index), backoff(backoff_min, backoff_max, rng) {}

  Connection connection;
  std::size_t turn;  // which of the addresses
  net::Backoff backoff;
  Instant due;  // closed: next attempt; connecting and busy: deadline
  Instant intended;
  std::uint64_t number = 0;
  bool is_under_way = false;  // a put was given to the connection and has not ended
  bool is_queued = false;     // in the queue of idle lanes
};

class Load {
 public:
  explicit Load(const LoadOptions& options)
      : options_(options),
        epoll_(make_epoll()),
        timer_(epoll_, timer_mark),
        addresses_(parse_endpoints(options.endpoints), epoll_.get()),
        rng_(options.seed),
        writes_{options.record_path.empty() ? options.key_prefix : make_unique_prefix(options.key_prefix),
                options.value_bytes, options.seed},
        request_(writes_, options.on_timing != nullptr),
        begin_(now()),
        measure_from_(begin_ + duration_of(options.warmup_seconds)),
        end_(measure_from_ + duration_of(options.seconds)),
        statistics_(begin_, measure_from_, end_) {
    if (!options.record_path.empty()) record_.emplace(options.record_path, writes_);
    if (options.rate > 0) schedule_.emplace(begin_, options.rate, measure_from_, end_);
    for (std::size_t i = 0; i < options.connections; ++i) {
      lanes_.push_back(std::make_unique<Lane>(epoll_.get(), i, base::Rng(rng_.next())));
      lanes_.back()->due = begin_;
    }
  }

  LoadResult run();

 private:
  using State = Connection::State;
  using Event = Connection::Event;

  void turn(Instant until);
  void on_tick(Instant time);
  void on_lane_tick(Lane& lane, Instant time);
  void react(Lane& lane, Event event);
  void open(Lane& lane, Instant time);
  void open_later(Lane& lane, Instant time);
  void on_idle(Lane& lane);
  void start_put(Lane& lane, Instant intended);
  void end_put(Lane& lane, Outcome outcome, Instant time);
  void on_answer(Lane& lane);
  void send_due();
  Lane* take_idle();
  void on_second(Instant time);
  [[nodiscard]] bool is_stopped() const { return options_.is_stopped != nullptr && *options_.is_stopped; }
  [[nodiscard]] bool has_puts_under_way() const;

  const LoadOptions& options_;
  Descriptor epoll_;
  Timer timer_;
  Addresses addresses_;
  base::Rng rng_;
  Writes writes_;
  PutRequest request_;
  Instant begin_;
  Instant measure_from_;
  Instant end_;
  Statistics statistics_;
  std::optional<RecordWriter> record_;
  std::optional<Schedule> schedule_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<Lane*> idle_;  // open loop; may hold lanes that are idle no more
  bool is_draining_ = false;
  Instant next_tick_;
  Instant next_report_;
  std::uint64_t next_number_ = 0;
};

LoadResult Load::run() {
  const double cpu_before = cpu_seconds();
  next_tick_ = begin_;
  next_report_ = begin_ + base::seconds(1);
  addresses_.refresh(begin_);
  while (now() < end_ && !is_stopped()) turn(end_);
  const Instant stopped = std::min(now(), end_);
  while (schedule_ && !is_stopped() && schedule_->left_before(stopped) > 0 && now() < end_ + own_lateness) {
    turn(end_ + own_lateness);
  }
  is_draining_ = true;
  if (schedule_) statistics_.on_dropped(schedule_->left_before(stopped));
  // What is under way still counts: left out would be just the slowest.
  const Instant patience = now() + options_.timeout;
  while (has_puts_under_way() && now() < patience) turn(patience);
  for (const auto& lane : lanes_) {
    if (lane->is_under_way) end_put(*lane, Outcome::unknown, now());
  }
  if (record_) record_->finish();
  LoadResult result = statistics_.take_result(stopped);
  result.cpu_seconds = cpu_seconds() - cpu_before;
  const auto wall = std::chrono::system_clock::now().time_since_epoch() - (now() - measure_from_);
  result.started_unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
  return result;
}

bool Load::has_puts_under_way() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->is_under_way; });
}

void Load::turn(Instant until) {
  epoll_event events[64];
  const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
  const auto wait_ms = static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, tick_ms));
  const int count = ::epoll_wait(epoll_.get(), events, static_cast<int>(std::size(events)), wait_ms);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t data = events[i].data.u64;
    if ((data & Addresses::event_mark) != 0) {
      addresses_.on_event(data, events[i].events);
    } else if (data == timer_mark) {
      timer_.on_event();
    } else {
      react(*lanes_[data], lanes_[data]->connection.on_event(events[i].events));
    }
  }
  const Instant time = now();
  if (time >= next_tick_) on_tick(time);
  if (schedule_ && !is_draining_) send_due();
}

void Load::on_tick(Instant time) {
  next_tick_ = time + base::milliseconds(tick_ms);
  addresses_.on_tick();
  for (const auto& lane : lanes_) on_lane_tick(*lane, time);
  if (time >= next_report_) on_second(time);
}

void Load::on_lane_tick(Lane& lane, Instant time) {
  if (time < lane.due) return;
  switch (lane.connection.state()) {
    case State::idle:
      return;
    case State::closed:
      return open(lane, time);
    case State::connecting:
      return react(lane, lane.connection.give_up("no connection in time"));
    case State::busy:
      return react(lane, lane.connection.give_up("no answer in time"));
  }
}

void Load::on_second(Instant time) {
  next_report_ = time + base::seconds(1);
  if (record_) record_->flush();
  if (options_.on_second) options_.on_second(statistics_.take_progress(time));
}

void Load::react(Lane& lane, Event event) {
  switch (event) {
    case Event::none:
      return;
    case Event::connected:
      return on_idle(lane);
    case Event::answered:
      return on_answer(lane);
    case Event::refused:
      statistics_.on_connect_failure();
      statistics_.note_error(lane.connection.describe_error());
      // In a closed loop the attempt was for a put; in an open loop the puts wait.
      if (!schedule_) end_put(lane, Outcome::failed, now());
      return open_later(lane, now());
    case Event::broken:
      if (lane.is_under_way) {
        statistics_.note_error(lane.connection.describe_error());
        end_put(lane, lane.connection.has_sent() ? Outcome::unknown : Outcome::failed, now());
      }
      return open_later(lane, now());
  }
}

void Load::open(Lane& lane, Instant time) {
  if (is_draining_) return;
  const Address* address = addresses_.pick(lane.turn);
  if (address == nullptr) {  // the next tick looks again
    addresses_.refresh(time);
    statistics_.note_error(addresses_.error());
    return;
  }
  lane.due = time + std::min(options_.timeout, connect_timeout);
  lane.intended = time;
  react(lane, lane.connection.connect(*address));
}

// At the next address. The answer of DNS is usually there before the pause is over.
void Load::open_later(Lane& lane, Instant time) {
  ++lane.turn;
  addresses_.refresh(time);
  lane.due = time + lane.backoff.take_wait();
}

void Load::on_idle(Lane& lane) {
  const Instant time = now();
  if (!schedule_ && time < end_ && !is_draining_) start_put(lane, time);
  if (schedule_ && !std::exchange(lane.is_queued, true)) idle_.push_back(&lane);
}

void Load::start_put(Lane& lane, Instant intended) {
  lane.intended = intended;
  lane.number = next_number_++;
  lane.is_under_way = true;
  lane.due = now() + options_.timeout;
  const std::string key =
      record_ ? writes_.key_of(lane.number) : writes_.prefix + std::to_string(rng_.in_range(1, options_.keys));
  react(lane, lane.connection.send(request_.text(lane.connection.host(), key, lane.number)));
}

void Load::end_put(Lane& lane, Outcome outcome, Instant time) {
  lane.is_under_way = false;
  statistics_.on_end(outcome, lane.intended, time);
}

void Load::on_answer(Lane& lane) {
  const Instant time = now();
  const HttpAnswer& answer = lane.connection.answer();
  const Outcome outcome = outcome_of(answer.status(), answer.body());
  end_put(lane, outcome, time);
  if (outcome != Outcome::acknowledged) {
    statistics_.note_error("HTTP " + std::to_string(answer.status()) + ": " + std::string(answer.body()));
    lane.connection.close();
    return open_later(lane, time);
  }
  if (record_) record_->add(lane.number, revision_in(answer.body()));
  if (options_.on_timing && lane.intended >= measure_from_) {
    options_.on_timing(micros_of(time - lane.intended), answer.field("server-timing"));
  }
  lane.backoff.reset();
  if (!lane.connection.is_ending()) {
    lane.connection.take_answer();
    return on_idle(lane);
  }
  // A server that says good-bye has done nothing wrong: no pause.
  lane.connection.close();
  ++lane.turn;
  addresses_.refresh(time);
  open(lane, time);
}

void Load::send_due() {
  const Instant time = now();
  statistics_.on_dropped(schedule_->drop_before(time));
  while (schedule_->is_due(time)) {
    Lane* lane = take_idle();
    if (lane == nullptr) return;  // whoever becomes idle ends the wait
    start_put(*lane, schedule_->take());
  }
  if (!schedule_->is_over() && !idle_.empty()) timer_.arm(schedule_->next());
}

Lane* Load::take_idle() {
  while (!idle_.empty()) {
    Lane* lane = idle_.front();
    idle_.pop_front();
    lane->is_queued = false;
    if (lane->connection.state() == State::idle) return lane;
  }
  return nullptr;
}

}  // namespace

LoadResult run_puts(const LoadOptions& options) { return Load(options).run(); }

}  // namespace whitewater::bench
