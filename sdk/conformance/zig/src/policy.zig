//! The conformance policy in Zig, as a WASI command: sdk/conformance/README.md says what it must answer.

const std = @import("std");

const rectifier = @import("rectifier");

const Call = rectifier.Call;
const Value = rectifier.json.Value;

pub const Settings = struct {
    remedy: Value = .null,
    reason: []const u8 = "",
    settle: ?u32 = null,
    /// It cannot decide, and says this.
    @"error": ?[]const u8 = null,
    /// Its settings are refused, for this reason.
    refuse: ?[]const u8 = null,
    /// It panics with this.
    panic: ?[]const u8 = null,
    /// It never ends.
    loop: bool = false,
    /// It takes memory until there is none.
    allocate: bool = false,
};

pub fn check(call: *Call, settings: *const Settings) !void {
    if (settings.refuse) |why| return call.fail("{s}", .{why});
}

pub fn decide(call: *Call, seen: *const rectifier.Observation, settings: *const Settings) !rectifier.Decision {
    if (settings.panic) |why| @panic(why);
    while (settings.loop) {}
    while (settings.allocate) _ = call.print("{s}", .{&@as([1 << 16]u8, @splat('x'))});
    if (settings.@"error") |why| return call.fail("{s}", .{why});
    if (settings.remedy == .null) return call.fail("no remedy in the settings", .{});
    var reader: rectifier.json.Reader = .{ .arena = call.arena, .unknown = .refused };
    const remedy = reader.read(rectifier.Remedy, "remedy", settings.remedy) catch return call.fail("{s}", .{reader.complaint});

    var notes: std.ArrayList(rectifier.Pair) = .empty;
    try noteAll(call, &notes, "", try rectifier.json.form(call.arena, seen));
    var decision = remedy.because(settings.reason).noting(notes.items);
    decision.settle = settings.settle;
    return decision;
}

/// Every value as a note: the names joined by dots, and the value as text. A list that is empty is told apart from one
/// that is not there.
fn noteAll(call: *Call, notes: *std.ArrayList(rectifier.Pair), place: []const u8, value: Value) !void {
    switch (value) {
        .object => |fields| if (fields.count() > 0) {
            for (fields.keys(), fields.values()) |name, field| try noteAll(call, notes, below(call, place, name), field);
            return;
        },
        .array => |items| if (items.items.len > 0) {
            for (items.items, 0..) |item, index| try noteAll(call, notes, below(call, place, call.print("{d}", .{index})), item);
            return;
        },
        .string => |text| return notes.append(call.arena, .{ .name = place, .value = text }),
        else => {},
    }
    try notes.append(call.arena, .{ .name = place, .value = try std.json.Stringify.valueAlloc(call.arena, value, .{}) });
}

fn below(call: *Call, place: []const u8, name: []const u8) []const u8 {
    return if (place.len == 0) name else call.print("{s}.{s}", .{ place, name });
}

test "it plays the golden cases" {
    var arena_state: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    const io = std.testing.io;
    var folder = try std.Io.Dir.cwd().openDir(io, "../cases", .{ .iterate = true });
    defer folder.close(io);
    var count: usize = 0;
    var files = folder.iterate();
    while (try files.next(io)) |file| : (count += 1) {
        play(arena, try folder.readFileAlloc(io, file.name, arena, .unlimited)) catch |err| {
            std.debug.print("{s}\n", .{file.name});
            return err;
        };
    }
    try std.testing.expect(count > 0);
}

/// What only the engine can find out, it leaves to it.
fn play(arena: std.mem.Allocator, text: []const u8) !void {
    const case = try std.json.parseFromSliceLeaky(Value, arena, text, .{});
    const said = try rectifier.answer(@This(), arena, .@"validate-settings", text);
    if (case.object.get("decision")) |wanted| {
        try std.testing.expectEqualStrings("", said);
        const decided = try rectifier.answer(@This(), arena, .decide, text);
        try std.testing.expect(same(wanted, try std.json.parseFromSliceLeaky(Value, arena, decided, .{})));
        return;
    }
    const failure = case.object.get("failure").?.object;
    const wanted = try std.json.Stringify.valueAlloc(arena, .{ .@"error" = failure.get("message").?.string }, .{});
    if (rectifier.same(failure.get("class").?.string, "settings")) {
        try std.testing.expectEqualStrings(wanted, said);
    } else if (rectifier.same(failure.get("class").?.string, "guest-error")) {
        try std.testing.expectEqualStrings(wanted, try rectifier.answer(@This(), arena, .decide, text));
    }
}

/// The order of keys says nothing.
fn same(one: Value, other: Value) bool {
    if (std.meta.activeTag(one) != std.meta.activeTag(other)) return false;
    switch (one) {
        .object => |fields| {
            if (fields.count() != other.object.count()) return false;
            for (fields.keys(), fields.values()) |name, field| {
                if (!same(field, other.object.get(name) orelse return false)) return false;
            }
            return true;
        },
        .array => |items| {
            if (items.items.len != other.array.items.len) return false;
            for (items.items, other.array.items) |a, b| if (!same(a, b)) return false;
            return true;
        },
        .string => |text| return rectifier.same(text, other.string),
        .integer => |number| return number == other.integer,
        else => return false,
    }
}
