//! Lines for the operator's log: the engine passes them on, up to its limits. In tests they go where `std.log` writes.

const std = @import("std");

const wasi = @import("wasi.zig");

/// For the policy's author.
pub fn debug(comptime format: []const u8, args: anytype) void {
    std.log.debug(format, args);
}

/// For whoever reads the story of a repair.
pub fn info(comptime format: []const u8, args: anytype) void {
    std.log.info(format, args);
}

/// Somebody should look at it today.
pub fn warn(comptime format: []const u8, args: anytype) void {
    std.log.warn(format, args);
}

/// Something is wrong; the engine writes it as a warning.
pub fn err(comptime format: []const u8, args: anytype) void {
    std.log.err(format, args);
}

/// `std.log` in a policy: a line with its level on standard error.
pub fn line(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    args: anytype,
) void {
    const of = if (scope == .default) "" else @tagName(scope) ++ ": ";
    const name = switch (level) {
        .err => "error",
        .warn => "warn",
        .info => "info",
        .debug => "debug",
    };
    // What does not fit is cut: a line is for people.
    var buffer: [4096]u8 = undefined;
    var writer: std.Io.Writer = .fixed(buffer[0 .. buffer.len - 1]);
    writer.print(name ++ ": " ++ of ++ format, args) catch {};
    buffer[writer.end] = '\n';
    wasi.write(2, buffer[0 .. writer.end + 1]);
}
