//! Write Rectifier policies in Zig.
//!
//!     const rectifier = @import("rectifier");
//!     const Call = rectifier.Call;
//!     const Decision = rectifier.Decision;
//!     const NoSettings = rectifier.NoSettings;
//!     const Observation = rectifier.Observation;
//!     const Remedy = rectifier.Remedy;
//!
//!     pub fn decide(_: *Call, seen: *const Observation, _: *const NoSettings) !Decision {
//!         const restart: Remedy = .restart("containerd.service");
//!         if (seen.episode.tried(restart) == 0) return restart.because("containerd has not been restarted yet");
//!         return Remedy.because(.escalate, "a restart did not help");
//!     }
//!
//! A policy is a file with these public declarations:
//!
//! - `Settings`: a struct of what the operator's sidecar says under `settings`. `max_attempts` is the key `maxAttempts`. A
//!   field with a default value may be left out; a key that is no field is refused, and so is a value of another type.
//!   Left out itself: `NoSettings`.
//! - `decide(call: *Call, seen: *const Observation, settings: *const Settings) !Decision`: what to do now?
//! - `check(call: *Call, settings: *const Settings) !void`: are the settings usable, beyond being well-formed? May be left
//!   out. Asked once when the policy is loaded.
//!
//! An error is answered as such: `call.fail("why", .{})`, or any other, by its name. A panic ends the policy without an
//! answer.

pub const Attempt = types.Attempt;
pub const ClusterView = types.ClusterView;
pub const Condition = types.Condition;
pub const Decision = types.Decision;
pub const Episode = types.Episode;
pub const EventCount = types.EventCount;
pub const Fix = types.Fix;
pub const FixCall = types.FixCall;
pub const Freshness = types.Freshness;
pub const Gate = types.Gate;
pub const Group = types.Group;
pub const Moment = types.Moment;
pub const Node = types.Node;
pub const NodeView = types.NodeView;
pub const Observation = types.Observation;
pub const Outcome = types.Outcome;
pub const Pair = types.Pair;
pub const Pairs = types.Pairs;
pub const Remedy = types.Remedy;
pub const Server = types.Server;
pub const Site = types.Site;
pub const Status = types.Status;
pub const Unit = types.Unit;
pub const UnitCall = types.UnitCall;
pub const UnitVerb = types.UnitVerb;

/// Are they the same text?
pub const same = types.same;

pub const Call = @import("call.zig").Call;
pub const NoSettings = glue.NoSettings;

/// Lines for the operator's log. `std.log` goes there, too.
pub const log = @import("log.zig");

/// Values by their JSON form: `json.form`, and `json.Reader` for the way back.
pub const json = @import("json.zig");

/// The answer to a question, both as documents: for tests.
pub const answer = glue.answer;
pub const Verb = glue.Verb;

/// What the command around a policy needs.
pub const wasi = @import("wasi.zig");

const glue = @import("glue.zig");
const types = @import("types.zig");

test {
    _ = @import("json.zig");
    _ = @import("tests.zig");
}
