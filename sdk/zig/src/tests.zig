//! Questions, answers, and a whole policy, asked as the engine asks.

const std = @import("std");
const rectifier = @import("rectifier.zig");

const Attempt = rectifier.Attempt;
const Observation = rectifier.Observation;
const Remedy = rectifier.Remedy;
const expect = std.testing.expect;
const expectEqual = std.testing.expectEqual;
const expectEqualStrings = std.testing.expectEqualStrings;

fn observed(site: rectifier.Site, attempts: []const Attempt) Observation {
    return .{
        .node = .{ .name = "n", .labels = .{ .items = &.{
            .{ .name = "role", .value = "worker" },
            .{ .name = "empty", .value = "" },
        } } },
        .site = site,
        .episode = .{ .problem = .{ .kind = "Sick" }, .attempts = attempts },
        .conditions = &.{.{ .kind = "Sick", .held = 7 }},
        .facts = .{ .items = &.{.{ .name = "agent", .value = "silent" }} },
    };
}

const node: rectifier.Site = .{ .node = .{
    .units = &.{.{ .name = "a.service", .active_state = "failed" }},
    .fixes = &.{.{ .name = "vacuum", .params = &.{"size"}, .gate = .{ .closed = "no" } }},
} };

test "the problem is told" {
    var seen = observed(node, &.{});
    try expectEqualStrings("Sick", seen.problem());
    try expect(seen.problemIsThere());
    seen.episode.problem.status = .unknown;
    try expect(!seen.problemIsThere());
}

test "each site has its own view" {
    const here = observed(node, &.{});
    const plane = observed(.{ .control_plane = .{ .pool = .{ .nodes = 3 }, .freshness = .stale } }, &.{});
    try expect(here.isFresh() and here.onNode() != null and here.inControlPlane() == null);
    try expect(!plane.isFresh() and plane.onNode() == null);
    try expectEqual(3, plane.inControlPlane().?.pool.nodes);
}

test "what is named is found and what is not there is not" {
    const seen = observed(node, &.{});
    const view = seen.onNode().?;
    try expectEqualStrings("worker", seen.label("role").?);
    try expectEqualStrings("", seen.label("empty").?);
    try expectEqual(null, seen.label("none"));
    try expectEqualStrings("silent", seen.fact("agent").?);
    try expectEqual(null, seen.fact("a"));
    try expectEqual(7, seen.condition("Sick").?.held);
    try expectEqual(null, seen.condition("Sic"));
    try expect(view.unit("a.service").?.gate.isOpen());
    try expectEqual(null, view.unit("b.service"));
    try expectEqualStrings("no", view.fix("vacuum").?.gate.closedBy().?);
    try expectEqual(null, view.fix(""));
}

test "only the same remedy counts, and not if it was refused" {
    const restart: Remedy = .restart("a.service");
    const episode = observed(node, &.{
        .{ .remedy = restart, .outcome = .no_effect },
        .{ .remedy = .reboot, .outcome = .running },
        .{ .remedy = restart, .outcome = .refused },
        .{ .remedy = .unitVerb(.start, "a.service"), .outcome = .failed },
    }).episode;
    try expectEqual(1, episode.tried(restart));
    try expectEqual(1, episode.tried(.unitVerb(.start, "a.service")));
    try expectEqual(0, episode.tried(.restart("b.service")));
    var attempts = episode.attemptsAt(restart);
    try expectEqual(&episode.attempts[0], attempts.next().?);
    try expectEqual(&episode.attempts[2], attempts.next().?);
    try expectEqual(null, attempts.next());
    try expectEqual(&episode.attempts[1], episode.running().?);
    try expectEqual(&episode.attempts[0], episode.last().?);
    const fresh = observed(node, &.{}).episode;
    try expect(fresh.last() == null and fresh.running() == null and fresh.tried(restart) == 0);
}

test "remedies are the same only in all their parts" {
    const fix: Remedy = .runFix("vacuum", &.{ .{ .name = "a", .value = "1" }, .{ .name = "b", .value = "2" } });
    try expect(fix.eql(.runFix("vacuum", &.{ .{ .name = "b", .value = "2" }, .{ .name = "a", .value = "1" } })));
    try expect(!fix.eql(.runFix("vacuum", &.{ .{ .name = "a", .value = "1" }, .{ .name = "b", .value = "3" } })));
    try expect(!fix.eql(.runFix("vacuum", &.{.{ .name = "a", .value = "1" }})));
    try expect(!fix.eql(.runFix("vacuum", &.{ .{ .name = "a", .value = "1" }, .{ .name = "c", .value = "2" } })));
    try expect(Remedy.eql(.{ .wait = 3 }, .{ .wait = 3 }) and !Remedy.eql(.{ .wait = 3 }, .{ .wait = 4 }));
    try expect(!Remedy.eql(.reboot, .replace));
}

test "an answer is built in few words" {
    const decision = Remedy.because(.{ .wait = 30 }, "why").settling(7).noting(&.{.{ .name = "n", .value = "v" }});
    try expectEqual(7, decision.settle.?);
    try expectEqualStrings("why", decision.reason);
    try expectEqualStrings("v", decision.notes.get("n").?);
}

test "a remedy is read as it is written" {
    var arena_state: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    inline for (.{
        "\"decline\"",
        "\"reboot\"",
        "\"escalate\"",
        "\"replace\"",
        "{\"wait\":30}",
        "{\"unit\":{\"name\":\"kubelet.service\",\"verb\":\"stopStart\"}}",
        "{\"fix\":{\"name\":\"vacuum\",\"args\":{\"size\":\"1G\"}}}",
    }) |written| {
        var reader: rectifier.json.Reader = .{ .arena = arena, .unknown = .refused };
        const remedy = try reader.parse(Remedy, "remedy", written);
        const again = try std.json.Stringify.valueAlloc(arena, try rectifier.json.form(arena, remedy), .{});
        try expectEqualStrings(written, again);
    }
}

/// A policy that shows what it is given, or fails as it is told.
const echo = struct {
    pub const Settings = struct { attempts: u32 = 1, fail: bool = false, go_wrong: bool = false };

    pub fn check(call: *rectifier.Call, settings: *const Settings) !void {
        if (settings.attempts == 0) return call.fail("settings.attempts is 0: then nothing is ever restarted", .{});
    }

    pub fn decide(call: *rectifier.Call, seen: *const Observation, settings: *const Settings) !rectifier.Decision {
        if (settings.fail) return call.fail("no idea: {d}", .{7});
        if (settings.go_wrong) return error.ItWentWrong;
        return Remedy.because(.escalate, call.print("{s} on {s}, {d}", .{ seen.problem(), seen.node.name, settings.attempts }));
    }
};

const bare = struct {
    pub fn decide(_: *rectifier.Call, _: *const Observation, _: *const rectifier.NoSettings) !rectifier.Decision {
        return Remedy.because(.decline, "");
    }
};

fn expectAnswer(comptime policy: type, verb: rectifier.Verb, settings: []const u8, wanted: []const u8) !void {
    var arena_state: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    const seen = try rectifier.json.form(arena, observed(node, &.{}));
    const question = try std.fmt.allocPrint(arena, "{{\"apiVersion\":\"x\",\"new\":[1],\"settings\":{s},\"observation\":{s}}}", .{
        settings, try std.json.Stringify.valueAlloc(arena, seen, .{}),
    });
    try expectEqualStrings(wanted, try rectifier.answer(policy, arena, verb, question));
}

test "a policy decides" {
    try expectAnswer(echo, .decide, "{\"attempts\":3}",
        \\{"remedy":"escalate","reason":"Sick on n, 3","notes":{}}
    );
    try expectAnswer(bare, .decide, "{}",
        \\{"remedy":"decline","reason":"","notes":{}}
    );
}

test "an error is answered in its own words, or by its name" {
    try expectAnswer(echo, .decide, "{\"fail\":true}", "{\"error\":\"no idea: 7\"}");
    try expectAnswer(echo, .decide, "{\"goWrong\":true}", "{\"error\":\"ItWentWrong\"}");
}

test "settings that are usable get no answer, and others a reason" {
    try expectAnswer(echo, .@"validate-settings", "{}", "");
    try expectAnswer(echo, .@"validate-settings", "{\"attempts\":0}",
        \\{"error":"settings.attempts is 0: then nothing is ever restarted"}
    );
    try expectAnswer(echo, .@"validate-settings", "{\"attemps\":2}",
        \\{"error":"settings has the key \"attemps\", which is not known; known: attempts, fail, goWrong"}
    );
    try expectAnswer(bare, .@"validate-settings", "{}", "");
    try expectAnswer(bare, .@"validate-settings", "{\"a\":1}",
        \\{"error":"settings has the key \"a\", which is not known; known: none"}
    );
}

test "a question that is none is answered with an error" {
    var arena_state: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    try expectEqualStrings(
        "{\"error\":\"the question has no observation\"}",
        try rectifier.answer(bare, arena, .decide, "{\"settings\":{}}"),
    );
    try expectEqualStrings(
        "{\"error\":\"question is no JSON: UnexpectedEndOfInput\"}",
        try rectifier.answer(bare, arena, .decide, ""),
    );
    try expectEqualStrings(
        "{\"error\":\"observation.id is missing\"}",
        try rectifier.answer(bare, arena, .decide, "{\"settings\":{},\"observation\":{}}"),
    );
}
