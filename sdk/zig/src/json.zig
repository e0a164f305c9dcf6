//! Values by their JSON form, both ways. The form of the contract: names in camelCase, a list of pairs as an object, a
//! case with a payload as an object with one key and one without as a string, and what is absent as an absent key.
//!
//! Stricter than `std.json.parseFromValue`, which takes "2" and 2.0 for an integer and says only that something is
//! wrong: here a message names the place.

const std = @import("std");

const FixCall = @import("types.zig").FixCall;
const Pair = @import("types.zig").Pair;
const Pairs = @import("types.zig").Pairs;

pub const Value = std.json.Value;

pub const Error = error{ Refused, OutOfMemory };

pub const Reader = struct {
    /// What is made lives as long as this.
    arena: std.mem.Allocator,
    /// What an object has and its struct has not.
    unknown: enum { refused, ignored },
    /// What a struct has and its object has not: its default value, or is it an error? An optional may always be absent.
    absent: enum { default, refused } = .default,
    /// After `error.Refused`: what is wrong, and where.
    complaint: []const u8 = "",

    /// The value of a document. `name` is what messages call it.
    pub fn parse(reader: *Reader, comptime T: type, name: []const u8, text: []const u8) Error!T {
        const value = std.json.parseFromSliceLeaky(Value, reader.arena, text, .{}) catch |err| switch (err) {
            error.OutOfMemory => return error.OutOfMemory,
            error.DuplicateField => return reader.refuse(&.{ .name = name }, "has a key twice", .{}),
            else => return reader.refuse(&.{ .name = name }, "is no JSON: {s}", .{@errorName(err)}),
        };
        return reader.read(T, name, value);
    }

    /// The value that a part of a document stands for.
    pub fn read(reader: *Reader, comptime T: type, name: []const u8, value: Value) Error!T {
        return reader.at(T, &.{ .name = name }, value);
    }

    fn at(reader: *Reader, comptime T: type, place: *const Place, value: Value) Error!T {
        if (T == Value) return value;
        if (T == Pairs) return reader.pairs(place, value);
        switch (@typeInfo(T)) {
            .bool => if (value == .bool) return value.bool,
            .int => return reader.integer(T, place, value),
            .float => switch (value) {
                .integer => |number| return @floatFromInt(number),
                .float => |number| if (std.math.isFinite(number)) return @floatCast(number),
                else => {},
            },
            .@"enum" => return reader.case(T, place, value),
            .optional => |optional| return if (value == .null) null else try reader.at(optional.child, place, value),
            .pointer => |pointer| if (pointer.size != .slice) {
                @compileError("a policy cannot read a " ++ @typeName(T));
            } else if (pointer.child == u8) {
                if (value == .string) return value.string;
            } else if (value == .array) {
                return reader.list(pointer.child, place, value.array.items);
            },
            .@"struct" => return reader.record(T, place, value),
            .@"union" => return reader.variant(T, place, value),
            else => @compileError("a policy cannot read a " ++ @typeName(T)),
        }
        return reader.refuse(place, "is {s}, not {s}", .{ try reader.shown(value), comptime described(T) });
    }

    fn integer(reader: *Reader, comptime T: type, place: *const Place, value: Value) Error!T {
        // What is larger than an i64 is left as it is written.
        const number: ?T = switch (value) {
            .integer => |number| std.math.cast(T, number),
            .number_string => |written| std.fmt.parseInt(T, written, 10) catch null,
            else => null,
        };
        return number orelse reader.refuse(place, "is {s}, not an integer from {d} to {d}", .{
            try reader.shown(value), std.math.minInt(T), std.math.maxInt(T),
        });
    }

    fn pairs(reader: *Reader, place: *const Place, value: Value) Error!Pairs {
        if (value != .object) return reader.refuse(place, "is {s}, not an object", .{try reader.shown(value)});
        const items = try reader.arena.alloc(Pair, value.object.count());
        for (items, value.object.keys(), value.object.values()) |*item, name, inner| {
            item.* = .{ .name = name, .value = try reader.at([]const u8, &.{ .above = place, .name = name }, inner) };
        }
        return .{ .items = items };
    }

    fn list(reader: *Reader, comptime T: type, place: *const Place, values: []const Value) Error![]const T {
        const items = try reader.arena.alloc(T, values.len);
        for (items, values, 0..) |*item, inner, index| {
            item.* = try reader.at(T, &.{ .above = place, .index = index }, inner);
        }
        return items;
    }

    fn record(reader: *Reader, comptime T: type, place: *const Place, value: Value) Error!T {
        const info = @typeInfo(T).@"struct";
        if (value != .object) return reader.refuse(place, "is {s}, not an object", .{try reader.shown(value)});
        if (reader.unknown == .refused) for (value.object.keys()) |key| {
            inline for (info.field_names) |name| {
                if (std.mem.eql(u8, key, comptime camel(name))) break;
            } else return reader.refuse(place, "has the key {s}, which is not known; known: {s}", .{
                try reader.shown(.{ .string = key }), comptime joined(info.field_names),
            });
        };
        var made: T = undefined;
        inline for (info.field_names, info.field_types, info.field_attrs) |name, Field, attrs| {
            const inner: *const Place = &.{ .above = place, .name = comptime camel(name) };
            @field(made, name) = if (value.object.get(comptime camel(name))) |field|
                try reader.at(Field, inner, field)
            else
                try reader.missing(T, Field, attrs, inner);
        }
        return made;
    }

    fn missing(
        reader: *Reader,
        comptime T: type,
        comptime Field: type,
        comptime attrs: anytype,
        place: *const Place,
    ) Error!Field {
        // By the contract a fix without arguments need not say so.
        if (reader.absent == .default or @typeInfo(Field) == .optional or T == FixCall) {
            if (comptime attrs.defaultValue(Field)) |value| return value;
        }
        return reader.refuse(place, "is missing", .{});
    }

    fn variant(reader: *Reader, comptime T: type, place: *const Place, value: Value) Error!T {
        const info = @typeInfo(T).@"union";
        const payload: ?Value = if (value == .object and value.object.count() == 1) value.object.values()[0] else null;
        const called: ?[]const u8 = if (payload != null) value.object.keys()[0] else if (value == .string) value.string else null;
        inline for (info.field_names, info.field_types) |name, Payload| {
            if (called != null and std.mem.eql(u8, called.?, comptime camel(name))) {
                if (Payload == void) {
                    if (payload == null) return @unionInit(T, name, {});
                } else if (payload) |inner| {
                    const below: *const Place = &.{ .above = place, .name = comptime camel(name) };
                    return @unionInit(T, name, try reader.at(Payload, below, inner));
                }
            }
        }
        const what = if (payload != null) try reader.shown(.{ .string = called.? }) else try reader.shown(value);
        return reader.refuse(place, "is {s}, which is none of {s}", .{ what, comptime joined(info.field_names) });
    }

    fn case(reader: *Reader, comptime T: type, place: *const Place, value: Value) Error!T {
        const names = @typeInfo(T).@"enum".field_names;
        if (value == .string) inline for (names) |name| {
            if (std.mem.eql(u8, value.string, comptime camel(name))) return @field(T, name);
        };
        return reader.refuse(place, "is {s}, which is none of {s}", .{ try reader.shown(value), comptime joined(names) });
    }

    fn refuse(reader: *Reader, place: *const Place, comptime format: []const u8, args: anytype) Error {
        reader.complaint = try std.fmt.allocPrint(reader.arena, "{f} " ++ format, .{place.*} ++ args);
        return error.Refused;
    }

    /// A value as a message shows it: short.
    fn shown(reader: *Reader, value: Value) error{OutOfMemory}![]const u8 {
        switch (value) {
            .array => return "a list",
            .object => return "an object",
            else => {},
        }
        const whole = try std.json.Stringify.valueAlloc(reader.arena, value, .{});
        if (whole.len <= 60) return whole;
        var len: usize = 60;
        while (whole[len] & 0xC0 == 0x80) len -= 1;
        return std.fmt.allocPrint(reader.arena, "{s}…", .{whole[0..len]});
    }
};

/// The names from the document down, for messages.
const Place = struct {
    above: ?*const Place = null,
    name: []const u8 = "",
    index: ?usize = null,

    pub fn format(place: Place, writer: *std.Io.Writer) std.Io.Writer.Error!void {
        if (place.above) |above| {
            try above.format(writer);
            try writer.writeByte('.');
        }
        if (place.index) |index| try writer.print("{d}", .{index}) else try writer.writeAll(place.name);
    }
};

fn described(comptime T: type) []const u8 {
    return switch (@typeInfo(T)) {
        .bool => "true or false",
        .float => "a number",
        .pointer => |pointer| if (pointer.child == u8) "a string" else "a list",
        else => unreachable,
    };
}

/// `unix_seconds` is `unixSeconds` in JSON.
fn camel(comptime name: []const u8) []const u8 {
    comptime {
        var text: []const u8 = "";
        var upper = false;
        for (name) |byte| {
            if (byte == '_') {
                upper = true;
                continue;
            }
            text = text ++ [1]u8{if (upper) std.ascii.toUpper(byte) else byte};
            upper = false;
        }
        return text;
    }
}

fn joined(comptime names: []const [:0]const u8) []const u8 {
    comptime {
        var text: []const u8 = "";
        for (names, 0..) |name, index| text = text ++ (if (index == 0) "" else ", ") ++ camel(name);
        return if (names.len == 0) "none" else text;
    }
}

/// The JSON form of a value. An integer above 2^53-1 stays exact: it is written as it is.
pub fn form(arena: std.mem.Allocator, value: anytype) error{OutOfMemory}!Value {
    const T = @TypeOf(value);
    if (T == Value) return value;
    if (T == Pairs) {
        var object: std.json.ObjectMap = .empty;
        for (value.items) |pair| try object.put(arena, pair.name, .{ .string = pair.value });
        return .{ .object = object };
    }
    switch (@typeInfo(T)) {
        .bool => return .{ .bool = value },
        .int => return if (std.math.cast(i64, value)) |number|
            .{ .integer = number }
        else
            .{ .number_string = try std.fmt.allocPrint(arena, "{d}", .{value}) },
        .float => return .{ .float = value },
        .@"enum" => switch (value) {
            inline else => |tag| return .{ .string = comptime camel(@tagName(tag)) },
        },
        .optional => return if (value) |inner| form(arena, inner) else .null,
        .pointer => |pointer| if (pointer.size == .one) {
            return form(arena, value.*);
        } else if (pointer.child == u8) {
            return .{ .string = value };
        } else {
            var array: std.json.Array = .init(arena);
            for (value) |item| try array.append(try form(arena, item));
            return .{ .array = array };
        },
        .@"struct" => |info| {
            var object: std.json.ObjectMap = .empty;
            inline for (info.field_names) |name| {
                const field = try form(arena, @field(value, name));
                if (field != .null) try object.put(arena, comptime camel(name), field);
            }
            return .{ .object = object };
        },
        .@"union" => switch (value) {
            inline else => |payload, tag| {
                const name = comptime camel(@tagName(tag));
                if (@TypeOf(payload) == void) return .{ .string = name };
                var object: std.json.ObjectMap = .empty;
                try object.put(arena, name, try form(arena, payload));
                return .{ .object = object };
            },
        },
        else => @compileError("a policy cannot write a " ++ @typeName(T)),
    }
}

const testing = std.testing;

/// What is wrong with it.
fn complaintOf(arena: std.mem.Allocator, comptime T: type, text: []const u8) ![]const u8 {
    var reader: Reader = .{ .arena = arena, .unknown = .refused };
    _ = reader.parse(T, "settings", text) catch |err| switch (err) {
        error.Refused => return reader.complaint,
        else => return err,
    };
    return error.ItWasTaken;
}

const Everything = struct {
    max_attempts: u32 = 1,
    large: u64 = 0,
    shift: i16 = -1,
    share: f64 = 0.5,
    careful: bool = true,
    unit: []const u8 = "a.service",
    zone: ?[]const u8 = null,
    mode: enum { at_once, later } = .later,
    fixes: []const []const u8 = &.{},
    rules: []const struct { weight: u8 } = &.{},
    names: Pairs = .{},
    raw: Value = .null,
    way: union(enum) { none, wait_for: u32 } = .none,
};

test "all keys are read" {
    var arena_state: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena_state.deinit();
    var reader: Reader = .{ .arena = arena_state.allocator(), .unknown = .refused };
    const read = try reader.parse(Everything, "settings",
        \\{"maxAttempts":4294967295,"large":9007199254740991,"shift":-3,"share":-2.5e-1,"careful":false,
        \\ "unit":"b\u00e4\ud83d\udee0",
        \\ "zone":null,"mode":"atOnce","fixes":["one","two"],"rules":[{"weight":1},{"weight":2}],"names":{"a":"b"},
        \\ "raw":[1],"way":{"waitFor":7}}
    );
    try testing.expectEqual(4294967295, read.max_attempts);
    try testing.expectEqual(9007199254740991, read.large);
    try testing.expectEqual(-3, read.shift);
    try testing.expectEqual(-0.25, read.share);
    try testing.expect(!read.careful);
    try testing.expectEqualStrings("bä🛠", read.unit);
    try testing.expectEqual(null, read.zone);
    try testing.expectEqual(.at_once, read.mode);
    try testing.expectEqualStrings("two", read.fixes[1]);
    try testing.expectEqual(2, read.rules[1].weight);
    try testing.expectEqualStrings("b", read.names.get("a").?);
    try testing.expectEqual(1, read.raw.array.items[0].integer);
    try testing.expectEqual(7, read.way.wait_for);
}

test "what is not said is as the struct says" {
    var arena_state: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena_state.deinit();
    var reader: Reader = .{ .arena = arena_state.allocator(), .unknown = .refused };
    const read = try reader.parse(Everything, "settings", "{}");
    try testing.expectEqual(1, read.max_attempts);
    try testing.expectEqualStrings("a.service", read.unit);
    const share = try reader.parse(Everything, "settings", "{\"share\":1}");
    try testing.expectEqual(1.0, share.share);
}

test "what is not usable is refused by its place" {
    var arena_state: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    const known = "maxAttempts, large, shift, share, careful, unit, zone, mode, fixes, rules, names, raw, way";
    inline for (.{
        .{ "{\"attemps\":1}", "settings has the key \"attemps\", which is not known; known: " ++ known },
        .{ "{\"max_attempts\":1}", "settings has the key \"max_attempts\", which is not known; known: " ++ known },
        .{ "{\"rules\":[{\"weight\":1,\"x\":2}]}", "settings.rules.0 has the key \"x\", which is not known; known: weight" },
        .{ "{\"rules\":[{\"weight\":1},{}]}", "settings.rules.1.weight is missing" },
        .{ "{\"rules\":[1]}", "settings.rules.0 is 1, not an object" },
        .{ "{\"rules\":{}}", "settings.rules is an object, not a list" },
        .{ "{\"maxAttempts\":4294967296}", "settings.maxAttempts is 4294967296, not an integer from 0 to 4294967295" },
        .{ "{\"maxAttempts\":-1}", "settings.maxAttempts is -1, not an integer from 0 to 4294967295" },
        .{ "{\"maxAttempts\":\"2\"}", "settings.maxAttempts is \"2\", not an integer from 0 to 4294967295" },
        .{ "{\"maxAttempts\":2.5}", "settings.maxAttempts is 2.5, not an integer from 0 to 4294967295" },
        .{ "{\"maxAttempts\":null}", "settings.maxAttempts is null, not an integer from 0 to 4294967295" },
        .{ "{\"shift\":99999999999999999999}", "settings.shift is 99999999999999999999, not an integer from -32768 to 32767" },
        .{ "{\"share\":true}", "settings.share is true, not a number" },
        .{ "{\"careful\":\"yes\"}", "settings.careful is \"yes\", not true or false" },
        .{ "{\"unit\":[]}", "settings.unit is a list, not a string" },
        .{ "{\"mode\":\"at_once\"}", "settings.mode is \"at_once\", which is none of atOnce, later" },
        .{ "{\"names\":{\"a\":1}}", "settings.names.a is 1, not a string" },
        .{ "{\"way\":\"waitFor\"}", "settings.way is \"waitFor\", which is none of none, waitFor" },
        .{ "{\"way\":{\"none\":1}}", "settings.way is \"none\", which is none of none, waitFor" },
        .{ "{\"way\":{\"waitFor\":\"a\"}}", "settings.way.waitFor is \"a\", not an integer from 0 to 4294967295" },
        .{ "[]", "settings is a list, not an object" },
        .{ "{\"unit\":1,\"unit\":1}", "settings has a key twice" },
        .{ "{", "settings is no JSON: UnexpectedEndOfInput" },
        .{ "{\"unit\":\"\\ud800\"}", "settings is no JSON: SyntaxError" },
    }) |wrong| {
        try testing.expectEqualStrings(wrong[1], try complaintOf(arena, Everything, wrong[0]));
    }
    try testing.expectEqualStrings(
        "settings has the key \"a\", which is not known; known: none",
        try complaintOf(arena, struct {}, "{\"a\":1}"),
    );
}

test "a message is short and has whole characters" {
    var arena_state: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena_state.deinit();
    const long = "\"ääääääääääääääääääääääääääääääääääääääää\"";
    const complaint = try complaintOf(arena_state.allocator(), bool, long);
    try testing.expectEqualStrings("settings is \"äääääääääääääääääääääääääääää…, not true or false", complaint);
}

test "what is not known is ignored where it may be" {
    var arena_state: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena_state.deinit();
    var reader: Reader = .{ .arena = arena_state.allocator(), .unknown = .ignored };
    const read = try reader.parse(struct { a: u8 }, "it", "{\"a\":1,\"b\":{\"c\":[]}}");
    try testing.expectEqual(1, read.a);
}

test "what is absent is no default where nothing may be absent" {
    var arena_state: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena_state.deinit();
    var reader: Reader = .{ .arena = arena_state.allocator(), .unknown = .ignored, .absent = .refused };
    const Seen = struct { zone: ?[]const u8 = null, held: u32 = 0, call: FixCall = .{ .name = "" } };
    const seen = try reader.parse(Seen, "it", "{\"held\":1,\"call\":{\"name\":\"f\"}}");
    try testing.expectEqual(null, seen.zone);
    try testing.expectError(error.Refused, reader.parse(Seen, "it", "{\"call\":{\"name\":\"f\"}}"));
    try testing.expectEqualStrings("it.held is missing", reader.complaint);
    try testing.expectError(error.Refused, reader.parse(Seen, "it", "{\"held\":1,\"call\":{}}"));
    try testing.expectEqualStrings("it.call.name is missing", reader.complaint);
}

test "an integer stays exact, however large" {
    var arena_state: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena_state.deinit();
    const arena = arena_state.allocator();
    inline for (.{ "9007199254740993", "18446744073709551615" }) |written| {
        var reader: Reader = .{ .arena = arena, .unknown = .refused };
        const read = try reader.parse(u64, "it", written);
        const again = try std.json.Stringify.valueAlloc(arena, try form(arena, read), .{});
        try testing.expectEqualStrings(written, again);
    }
}
