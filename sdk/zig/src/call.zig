//! One asking: its memory, and how to say that it cannot be answered.

const std = @import("std");

pub const Call = struct {
    /// What is taken of it lives until the policy has answered. Nothing needs to be freed.
    arena: std.mem.Allocator,
    /// Of `fail`.
    failure: ?[]const u8 = null,

    /// Text that lives until the policy has answered. Panics if there is no memory.
    pub fn print(call: *Call, comptime format: []const u8, args: anytype) []const u8 {
        return std.fmt.allocPrint(call.arena, format, args) catch @panic("there is no memory for a text");
    }

    /// `return call.fail("…", .{…})`: it cannot be decided, or the settings are not usable, and why: one line for the
    /// operator. Any other error fails, too, with its name for a reason. It counts as a failure of the policy; for a
    /// problem that is somebody else's answer `Remedy.decline`.
    pub fn fail(call: *Call, comptime format: []const u8, args: anytype) error{Failed} {
        call.failure = call.print(format, args);
        return error.Failed;
    }
};
