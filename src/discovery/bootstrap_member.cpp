#include <algorithm>

#include "base/assert.hpp"
#include "discovery/bootstrap_fsm.hpp"

// Who contacts this member, and whom a member goes on asking: so that a cluster and those who should be in it find each
// other, whatever discovery, disks and addresses did to them.
namespace whitewater::discovery {

namespace {

constexpr base::Duration ask_interval = base::seconds(1);        // not in the configuration, or somebody is silent
constexpr base::Duration ask_interval_calm = base::seconds(10);  // fixed, without jitter: a handful of messages
constexpr base::Duration answered_keep = base::seconds(60);
constexpr std::size_t clusters_max = 8;  // of which it is remembered that they were heard or reported

}  // namespace

// Everything that is known of somebody who spoke, for the owner: it adds joiners and learns addresses.
void BootstrapFsm::note_seen(const PeerInfo& info) {
  if (info.node_id == options_.node_id || info.node_id.is_zero()) return;
  actions_.emplace_back(PeerSeen{info});
}

void BootstrapFsm::on_hello(base::Instant now, const PeerInfo& sender) {
  if (sender.node_id == options_.node_id || sender.node_id.is_zero()) return;
  note_seen(sender);
  note_configured(now, sender);
  learn_contact(now, sender);
  if (is_bootstrapping()) {
    if (!sender.cluster_id.is_zero() && !sender.members.empty())
      hear_member(now, sender.cluster_id, sender.name, sender.advertise);
  } else {
    note_other_cluster(sender);
  }
}

void BootstrapFsm::learn_contact(base::Instant now, const PeerInfo& sender) {
  if (sender.token != options_.token) return;
  const auto address = parse_host_port(sender.advertise);
  if (!address || !is_host_valid(sender.name)) return;
  add_contact(now, *address, sender.name);
}

void BootstrapFsm::add_contact(base::Instant now, const HostPort& address, const std::string& name) {
  own_addresses_.erase(address);  // then it is somebody else's
  const auto known = answers_.find(address);
  const bool answers_already = known != answers_.end() && (known->second.info || known->second.is_pending);
  if (!discovered_.contains(address)) {
    if (!contacts_.contains(address) && contacts_.size() == contacts_max) {
      contacts_.erase(std::min_element(contacts_.begin(), contacts_.end(), [](const auto& a, const auto& b) {
        return a.second.heard_at < b.second.heard_at;
      }));
    }
    contacts_.insert_or_assign(address, Contact{name, now});
  }
  // Whoever dials us can probably be dialled by now: do not sleep out the back-off.
  if (!answers_already) next_round_ = std::min(next_round_, std::max(now, round_started_ + options_.poll_min));
}

void BootstrapFsm::hear_member(base::Instant now, base::ClusterId cluster_id, const std::string& name,
                               const std::string& advertise) {
  // The set that this member promised was decided: only then can there be a member of its cluster.
  if (meta_.state == MemberState::prepared && cluster_id == cluster_id_of(prepared_)) commit_own();
  const auto id = heard_.size() < clusters_max ? cluster_id : heard_.begin()->first;  // one is enough to found nothing
  heard_.insert_or_assign(id, Heard{(name.empty() ? "a member" : name) + " of cluster " + base::to_hex(cluster_id) +
                                        (advertise.empty() ? "" : " at " + advertise),
                                    now});
}

void BootstrapFsm::on_member_heard(base::Instant now, base::ClusterId cluster_id, const std::string& name,
                                   const std::string& advertise) {
  if (cluster_id.is_zero() || !is_bootstrapping()) return;
  hear_member(now, cluster_id, name, advertise);
  if (const auto address = parse_host_port(advertise)) {
    add_contact(now, *address, is_host_valid(name) ? name : pod_name_of(address->host));
  }
  on_tick(now);
}

std::string BootstrapFsm::describe_heard() const {
  WW_ASSERT(!heard_.empty());
  return heard_.begin()->second.who + " has contacted this member and does not answer it yet; this member joins when " +
         "it is answered, and founds nothing before that cluster is silent and every known peer answers without it";
}

// All pods deleted at once, say: the last old one greeted this one and was gone. Whoever exists must answer, or it may
// belong to that cluster.
void BootstrapFsm::forget_heard(base::Instant now, const Round& round) {
  if (round.infos.empty() || !round.clusters.empty() || !round.waiting.empty()) return;
  for (const auto& [address, known] : discovered_) {
    const auto answer = answers_.find(address);
    if (known.may_be_member && (answer == answers_.end() || !answer->second.info)) return;
  }
  std::erase_if(heard_, [&](const auto& item) { return now - item.second.at >= options_.orphan_after; });
}

void BootstrapFsm::on_member_answer(base::Instant now, const HostPort& address, const PeerInfo& info) {
  if (info.node_id == options_.node_id) return;
  note_configured(now, info);
  if (info.members.empty()) {
    empty_answers_[address] = now;
  } else {
    empty_answers_.erase(address);
  }
  note_other_cluster(info);
  if (info.cluster_id != meta_.cluster_id || info.state != MemberState::member) return;
  if (!info.members.empty() && info.commit >= witnessed_commit_) {
    witnessed_ = info.members;
    witnessed_commit_ = info.commit;
  }
  const bool is_configured = std::any_of(view_.members.begin(), view_.members.end(),
                                         [&](const core::Member& member) { return member.id == info.node_id; });
  if (is_configured) answered_[address] = now;
}

// A person has to see to it: which of the two is wrong is not for a member to say.
void BootstrapFsm::note_other_cluster(const PeerInfo& info) {
  if (info.cluster_id.is_zero() || info.cluster_id == meta_.cluster_id || meta_.state != MemberState::member) return;
  if (other_clusters_.size() == clusters_max || !other_clusters_.insert(info.cluster_id).second) return;
  set_status(status_.phase, "belongs to cluster " + base::to_hex(meta_.cluster_id) + "; cluster " +
                                base::to_hex(info.cluster_id) + " also answers under this service (" + info.name +
                                " at " + info.advertise + "): stop the members of the wrong one");
  status_.other_cluster = info.cluster_id;
}

void BootstrapFsm::note_configured(base::Instant now, const PeerInfo& info) {
  if (!info.members.empty()) configured_heard_at_ = now;
}

// All pods deleted at once, say: the first new one met the last old one. Such a member never voted and holds no entry;
// as a fresh one it is bound by the same conditions as everybody, and should a member of the cluster be there after
// all, it joins again.
void BootstrapFsm::maybe_orphaned(base::Instant now) {
  const bool was_taken_in = !prepared_.empty() || !view_.members.empty() || !view_.commit.is_zero();
  if (meta_.state != MemberState::member || is_orphaned_ || persisting_ || !has_view_ || was_taken_in) return;
  std::erase_if(empty_answers_,
                [&](const auto& item) { return now - item.second > 2 * (ask_interval + options_.exchange_timeout); });
  if (now - configured_heard_at_ < options_.orphan_after || empty_answers_.empty()) return;
  for (const auto& [address, known] : discovered_) {
    if (known.may_be_member && !empty_answers_.contains(address)) return;  // it may have been taken in
  }
  is_orphaned_ = true;
  actions_.emplace_back(Orphaned{meta_.cluster_id});
}

base::Instant BootstrapFsm::next_ask() const {
  if (!asked_at_) return next_round_;
  const bool is_calm = view_.is_in_configuration && !view_.has_silent_members;
  const auto interval = is_calm ? ask_interval_calm : ask_interval;
  return *asked_at_ + (is_ask_wanted_ ? std::min(options_.poll_min, interval) : interval);
}

// A member asks each address by itself: it has no round to complete, and no answer decides anything.
void BootstrapFsm::maybe_ask(base::Instant now) {
  if (meta_.state != MemberState::member || now < next_ask()) return;
  asked_at_ = now;
  is_ask_wanted_ = false;
  std::set<HostPort> under_way;
  for (const auto& [id, pending] : pending_) {
    if (pending.kind == Pending::Kind::hello) under_way.insert(pending.address);
  }
  for (const auto& [address, name] : member_targets(now)) {
    if (under_way.contains(address)) continue;
    send(now, {.kind = Pending::Kind::hello, .address = address, .node = {}, .deadline = {}}, Hello{own_info()});
  }
}

std::map<HostPort, std::string> BootstrapFsm::member_targets(base::Instant now) {
  std::erase_if(answered_, [&](const auto& item) { return now - item.second >= answered_keep; });
  std::erase_if(contacts_, [&](const auto& item) { return now - item.second.heard_at > candidate_keep; });
  auto out = targets();
  if (!view_.is_in_configuration) {
    for (const auto& member : witnessed_) {
      const auto address = parse_host_port(member.name);
      if (address && *address != parse_host_port(options_.advertise).value()) {
        out.emplace(*address, pod_name_of(address->host));
      }
    }
    return out;
  }
  // Raft dials those itself. Where else a member answered is known well enough, while nobody is silent.
  for (const auto& member : view_.members) {
    if (const auto address = parse_host_port(member.name)) out.erase(*address);
  }
  if (!view_.has_silent_members) {
    for (const auto& [address, at] : answered_) out.erase(address);
  }
  return out;
}

}  // namespace whitewater::discovery
