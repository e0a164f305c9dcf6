//! The contract's types, `sdk/wit/policy.wit`, with the questions that every policy asks and short ways to answer.
//! Names are those of the contract in Zig's case; durations and ages are whole seconds.

const std = @import("std");

/// Are they the same text?
pub fn same(one: []const u8, other: []const u8) bool {
    return std.mem.eql(u8, one, other);
}

/// The status of a node condition as Kubernetes has it: `True`, `False`, `Unknown`. For a problem's condition `yes`
/// means that the problem is there. `unknown` is neither health nor illness.
pub const Status = enum { yes, no, unknown };

/// How far a view can be trusted: read within its source's interval; read, but longer ago; never read, or the source
/// cannot be reached. Lists of a view that is not `fresh` say nothing by being empty.
pub const Freshness = enum { fresh, stale, missing };

/// A name and its value.
pub const Pair = struct { name: []const u8, value: []const u8 };

/// Names and their values: a name occurs once.
pub const Pairs = struct {
    items: []const Pair = &.{},

    /// The value of this name.
    pub fn get(pairs: Pairs, name: []const u8) ?[]const u8 {
        for (pairs.items) |pair| {
            if (same(pair.name, name)) return pair.value;
        }
        return null;
    }

    fn eql(one: Pairs, other: Pairs) bool {
        if (one.items.len != other.items.len) return false;
        // Their order says nothing.
        for (one.items) |pair| {
            const value = other.get(pair.name) orelse return false;
            if (!same(pair.value, value)) return false;
        }
        return true;
    }
};

/// A moment in the time zone of the node's pool (UTC where the pool names none).
pub const Moment = struct {
    /// Seconds since 1970-01-01T00:00Z.
    unix_seconds: u64 = 0,
    /// 1 (Monday) to 7 (Sunday).
    weekday: u8 = 1,
    /// 0 (midnight) to 1439.
    minute_of_day: u16 = 0,
};

/// May the engine do it now? `closed` carries the guard rail that says no, for people: a policy tests the case, never
/// the text. Advice against a closed gate is recorded as `refused` and not carried out.
pub const Gate = union(enum) {
    open,
    closed: []const u8,

    /// May it be done now?
    pub fn isOpen(gate: Gate) bool {
        return gate == .open;
    }

    /// The guard rail that says no, for people.
    pub fn closedBy(gate: Gate) ?[]const u8 {
        return switch (gate) {
            .open => null,
            .closed => |rail| rail,
        };
    }
};

/// A node condition.
pub const Condition = struct {
    /// Its type, e.g. `KernelDeadlock`.
    kind: []const u8,
    status: Status = .yes,
    /// Machine-readable cause as its source gives it, e.g. `DockerHung`. May be empty.
    reason: []const u8 = "",
    /// Text for people as its source gives it. May be empty, and may have been cut by the source.
    message: []const u8 = "",
    /// For how long the engine has seen it with this status. Not the source's own transition time, which moves when the
    /// source restarts.
    held: u32 = 0,
    /// Who reported it: `npd` (read on the node), `node-status` (read at the API server); or who told the node engine,
    /// which makes conditions by the operator's rules: `npd-counter`, `systemd`.
    source: []const u8 = "npd",
};

/// Events on this node that bear one reason, as Node Problem Detector counts them.
pub const EventCount = struct {
    /// E.g. `OOMKilling`.
    reason: []const u8,
    /// The message of the last one; empty where it is only counted.
    message: []const u8 = "",
    /// How many there were in the window; at least 1.
    count: u32 = 1,
    /// Over how long they were counted.
    window: u32,
    /// How long ago the last one was seen; at most `window`.
    last_seen: u32,
};

/// What became of a remedy: always observed afterwards, never the return of a call.
pub const Outcome = enum {
    /// Under way, or within its settling time.
    running,
    /// The problem went away and stayed away for the settling time. (It may have come back since.)
    recovered,
    /// It was carried out, and the problem is still there.
    no_effect,
    /// It could not be carried out; `Attempt.detail` says why.
    failed,
    /// A guard rail refused it; `Attempt.detail` names it. Nothing was done.
    refused,
    /// The engine was away and cannot tell.
    unknown,
};

/// One remedy that was tried in an episode.
pub const Attempt = struct {
    remedy: Remedy,
    /// How long ago it began.
    age: u32 = 0,
    outcome: Outcome,
    /// More for people: the result of systemd's job, the guard rail. May be empty.
    detail: []const u8 = "",
};

/// One problem from its first sight until it has been gone for a quiet time.
pub const Episode = struct {
    /// The problem as it stands now; its status may be `no` while the quiet time runs.
    problem: Condition,
    /// Since its first sight.
    age: u32 = 0,
    /// How often it went away and came back within this episode.
    recurrences: u32 = 0,
    /// Of both engines, as far as this site knows them. Newest first, at most 32.
    attempts: []const Attempt = &.{},

    /// How often exactly this was carried out in this episode, or begun. What was refused was not.
    pub fn tried(episode: Episode, remedy: Remedy) usize {
        var count: usize = 0;
        var attempts = episode.attemptsAt(remedy);
        while (attempts.next()) |attempt| {
            if (attempt.outcome != .refused) count += 1;
        }
        return count;
    }

    /// All attempts at exactly this remedy, the newest first.
    pub fn attemptsAt(episode: Episode, remedy: Remedy) AttemptsAt {
        return .{ .older = episode.attempts, .remedy = remedy };
    }

    pub const AttemptsAt = struct {
        older: []const Attempt,
        remedy: Remedy,

        pub fn next(attempts: *AttemptsAt) ?*const Attempt {
            while (attempts.older.len > 0) {
                const newest = &attempts.older[0];
                attempts.older = attempts.older[1..];
                if (newest.remedy.eql(attempts.remedy)) return newest;
            }
            return null;
        }
    };

    /// The remedy that is under way, if one is.
    pub fn running(episode: Episode) ?*const Attempt {
        for (episode.attempts) |*attempt| {
            if (attempt.outcome == .running) return attempt;
        }
        return null;
    }

    /// The newest attempt.
    pub fn last(episode: Episode) ?*const Attempt {
        return if (episode.attempts.len == 0) null else &episode.attempts[0];
    }
};

/// The node that has the problem.
pub const Node = struct {
    name: []const u8,
    /// The repair pool that selects it. Absent if none does, or if this site cannot know it.
    pool: ?[]const u8 = null,
    /// Its label `topology.kubernetes.io/zone`; empty if it has none.
    zone: []const u8 = "",
    labels: Pairs = .{},
    /// Its condition `Ready`.
    ready: Status = .yes,
    /// Is it cordoned, by whomever?
    unschedulable: bool = false,
    /// Since its boot. Absent where this site cannot know it.
    uptime: ?u32 = null,
    /// Pods bound to it; 0 where this site does not count them.
    pods: u32 = 0,
};

/// A systemd unit that the operator allows policies to touch.
pub const Unit = struct {
    /// With its suffix, e.g. `containerd.service`.
    name: []const u8,
    /// systemd's `ActiveState`: `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`, …
    active_state: []const u8 = "active",
    /// systemd's `SubState`, e.g. `running`, `dead`, `auto-restart`.
    sub_state: []const u8 = "running",
    /// systemd's `NRestarts`: how often systemd itself restarted it. 0 for what is no service.
    restarts: u32 = 0,
    /// For how long it has been in this active state.
    held: u32 = 0,
    /// May it be touched now?
    gate: Gate = .open,
};

/// A fix: a command that the operator's configuration declares by name.
pub const Fix = struct {
    name: []const u8,
    /// The names of the parameters that it takes.
    params: []const []const u8 = &.{},
    /// May it be run now?
    gate: Gate = .open,
};

/// What only the engine on the node sees.
pub const NodeView = struct {
    /// Those that the operator allows and that the policy's metadata need. A unit that is not here may not be touched.
    units: []const Unit = &.{},
    /// Those that the operator declares and that the policy's metadata need.
    fixes: []const Fix = &.{},
    /// May a reboot be asked for now?
    reboot: Gate = .open,
    /// Of this view. If `missing`, the lists are empty and the gate is closed.
    freshness: Freshness = .fresh,

    /// The unit of this name, if the operator allows it and the metadata need it.
    pub fn unit(view: NodeView, name: []const u8) ?*const Unit {
        for (view.units) |*one| {
            if (same(one.name, name)) return one;
        }
        return null;
    }

    /// The fix of this name, likewise.
    pub fn fix(view: NodeView, name: []const u8) ?*const Fix {
        for (view.fixes) |*one| {
            if (same(one.name, name)) return one;
        }
        return null;
    }
};

/// Nodes of one group, counted. `sick` and `repairing` overlap.
pub const Group = struct {
    nodes: u32 = 0,
    /// With an open problem.
    sick: u32 = 0,
    /// In a repair of the control plane's.
    repairing: u32 = 0,
};

/// The node's server, as the cloud tells it.
pub const Server = struct {
    /// Nova's status, e.g. `ACTIVE`, `SHUTOFF`, `ERROR`. No status is proof of life or of death.
    status: []const u8,
    /// Nova's task state, e.g. `rebooting`. Absent if no task runs.
    task: ?[]const u8 = null,
    /// Nova's fault message. Absent if it reports none.
    fault: ?[]const u8 = null,
    /// Since its creation.
    age: u32 = 0,
    /// The machine certainly runs no more, by the engine's own rule.
    proven_dead: bool = false,
};

/// What only the control plane sees.
pub const ClusterView = struct {
    /// The node's pool, the node itself included.
    pool: Group = .{},
    /// Its zone within the pool, likewise.
    zone: Group = .{},
    /// The nodes of the pool that have the same kind of problem, the node itself included.
    same_problem: Group = .{},
    /// Absent if the cloud could not be asked, or if it is not certain which server the node is.
    server: ?Server = null,
    /// Who asked for the repair: `node-engine`; `conditions` (nobody: the control plane saw the condition itself); else
    /// a person's user name.
    requested_by: []const u8 = "conditions",
    /// May it be rebooted now?
    reboot: Gate = .open,
    /// May it be replaced now?
    replace: Gate = .open,
    /// Of this view. If `missing`, the groups count nothing and both gates are closed.
    freshness: Freshness = .fresh,
};

/// Where the policy is asked.
pub const Site = union(enum) { node: NodeView, control_plane: ClusterView };

/// All that one decision may rest on, at one moment.
pub const Observation = struct {
    /// Unique for this asking; random numbers are seeded from it. Not to be parsed.
    id: []const u8 = "",
    now: Moment = .{},
    node: Node,
    site: Site,
    /// The problem to decide on.
    episode: Episode,
    /// Other open problems of this node.
    other_episodes: []const Episode = &.{},
    /// All conditions of the node as this site sees them, the healthy ones too.
    conditions: []const Condition = &.{},
    /// Recent events about the node; empty where this site does not read them.
    events: []const EventCount = &.{},
    /// The only open field: more about the node, by names listed in `sdk/facts.md`, as far as the policy's metadata
    /// need them. A name is never given a second meaning; one that cannot be told now is absent.
    facts: Pairs = .{},

    /// The kind of problem to decide on.
    pub fn problem(seen: Observation) []const u8 {
        return seen.episode.problem.kind;
    }

    /// Is the problem there? Not if it is gone, and not if nobody knows.
    pub fn problemIsThere(seen: Observation) bool {
        return seen.episode.problem.status == .yes;
    }

    /// Can the site's own view be trusted?
    pub fn isFresh(seen: Observation) bool {
        return switch (seen.site) {
            inline else => |view| view.freshness == .fresh,
        };
    }

    /// What the node's engine sees, if it is the one that asks.
    pub fn onNode(seen: *const Observation) ?*const NodeView {
        return switch (seen.site) {
            .node => |*view| view,
            .control_plane => null,
        };
    }

    /// What the control plane sees, if it is the one that asks.
    pub fn inControlPlane(seen: *const Observation) ?*const ClusterView {
        return switch (seen.site) {
            .node => null,
            .control_plane => |*view| view,
        };
    }

    /// The condition of this kind.
    pub fn condition(seen: Observation, kind: []const u8) ?*const Condition {
        for (seen.conditions) |*one| {
            if (same(one.kind, kind)) return one;
        }
        return null;
    }

    /// The value of the node's label.
    pub fn label(seen: Observation, name: []const u8) ?[]const u8 {
        return seen.node.labels.get(name);
    }

    /// The fact of this name, if it can be told and the metadata need it.
    pub fn fact(seen: Observation, name: []const u8) ?[]const u8 {
        return seen.facts.get(name);
    }
};

pub const UnitVerb = enum {
    /// systemd's `RestartUnit`.
    restart,
    /// `StartUnit`.
    start,
    /// `StopUnit`, and when that is done `StartUnit`.
    stop_start,
    /// `ResetFailedUnit`, then `StartUnit`.
    reset_failed,
};

/// Something to do to a unit. Its name is one of `NodeView.units`.
pub const UnitCall = struct { name: []const u8, verb: UnitVerb };

/// A fix to run. Its name is one of `NodeView.fixes`; each argument's name one of that fix's params.
pub const FixCall = struct { name: []const u8, args: Pairs = .{} };

/// What a policy may advise. A remedy of the other site makes the whole answer invalid.
pub const Remedy = union(enum) {
    /// Not mine: the next less specific policy is asked.
    decline,
    /// Nothing now; ask again after so many seconds, or as soon as something changes.
    wait: u32,
    /// Node only.
    unit: UnitCall,
    /// Node only.
    fix: FixCall,
    /// Node: ask the control plane for the grant. Control plane: reboot out of band, or start it if it is shut off.
    reboot,
    /// Node: to the control plane. Control plane: to a person.
    escalate,
    /// Control plane only: a similar server, Ready, before this one is drained and deleted.
    replace,

    /// Restart a systemd unit.
    pub fn restart(name: []const u8) Remedy {
        return unitVerb(.restart, name);
    }

    /// Do something to a systemd unit.
    pub fn unitVerb(verb: UnitVerb, name: []const u8) Remedy {
        return .{ .unit = .{ .name = name, .verb = verb } };
    }

    /// Run a fix with its arguments.
    pub fn runFix(name: []const u8, args: []const Pair) Remedy {
        return .{ .fix = .{ .name = name, .args = .{ .items = args } } };
    }

    /// This remedy, and why: one line for people, at most 1024 bytes.
    pub fn because(remedy: Remedy, reason: []const u8) Decision {
        return .{ .remedy = remedy, .reason = reason };
    }

    /// Are they the same, with the same name, verb, arguments or seconds?
    pub fn eql(one: Remedy, other: Remedy) bool {
        if (std.meta.activeTag(one) != std.meta.activeTag(other)) return false;
        return switch (one) {
            .decline, .reboot, .escalate, .replace => true,
            .wait => |seconds| seconds == other.wait,
            .unit => |call| call.verb == other.unit.verb and same(call.name, other.unit.name),
            .fix => |call| same(call.name, other.fix.name) and call.args.eql(other.fix.args),
        };
    }
};

/// What a policy says.
pub const Decision = struct {
    remedy: Remedy,
    /// Why, in one line for people: it stands in events and in the history. At most 1024 bytes.
    reason: []const u8,
    /// How long to watch after the remedy before judging it. The engine's default if absent.
    settle: ?u32 = null,
    /// For the record only.
    notes: Pairs = .{},

    /// Watch for so many seconds after the remedy before judging it.
    pub fn settling(decision: Decision, seconds: u32) Decision {
        var settled = decision;
        settled.settle = seconds;
        return settled;
    }

    /// With these notes for the record, and no others. A name may be used once.
    pub fn noting(decision: Decision, notes: []const Pair) Decision {
        var noted = decision;
        noted.notes = .{ .items = notes };
        return noted;
    }
};
