//! Between a policy and its process: a question in, an answer out.

const std = @import("std");

const Call = @import("call.zig").Call;
const Value = std.json.Value;
const json = @import("json.zig");
const types = @import("types.zig");

pub const Verb = enum { decide, @"validate-settings" };

/// What a policy's settings are if it declares none: an operator who gives some is refused.
pub const NoSettings = struct {};

/// A policy's type of settings.
pub fn SettingsOf(comptime policy: type) type {
    return if (@hasDecl(policy, "Settings")) policy.Settings else NoSettings;
}

const Question = struct {
    observation: ?Value = null,
    settings: Value,
};

/// The document that answers a question; empty if there is nothing to say against the settings. In tests, it is asked
/// as the engine asks.
pub fn answer(comptime policy: type, arena: std.mem.Allocator, verb: Verb, question: []const u8) error{OutOfMemory}![]const u8 {
    var call: Call = .{ .arena = arena };
    const said: ?types.Decision = ask(policy, &call, verb, question) catch |err| {
        const why = call.failure orelse @errorName(err);
        return std.json.Stringify.valueAlloc(arena, .{ .@"error" = why }, .{});
    };
    const decision = said orelse return "";
    return std.json.Stringify.valueAlloc(arena, try json.form(arena, decision), .{});
}

fn ask(comptime policy: type, call: *Call, verb: Verb, question: []const u8) anyerror!?types.Decision {
    var seeing: json.Reader = .{ .arena = call.arena, .unknown = .ignored, .absent = .refused };
    const asked = try told(call, &seeing, seeing.parse(Question, "question", question));
    var reading: json.Reader = .{ .arena = call.arena, .unknown = .refused };
    const settings = try told(call, &reading, reading.read(SettingsOf(policy), "settings", asked.settings));
    switch (verb) {
        .@"validate-settings" => {
            if (@hasDecl(policy, "check")) try policy.check(call, &settings);
            return null;
        },
        .decide => {
            const observed = asked.observation orelse return call.fail("the question has no observation", .{});
            const seen = try told(call, &seeing, seeing.read(types.Observation, "observation", observed));
            return try policy.decide(call, &seen, &settings);
        },
    }
}

/// What was read; or the reader's complaint as the call's failure.
fn told(call: *Call, reader: *const json.Reader, result: anytype) !@typeInfo(@TypeOf(result)).error_union.payload {
    return result catch |err| switch (err) {
        error.Refused => call.fail("{s}", .{reader.complaint}),
        error.OutOfMemory => err,
    };
}
