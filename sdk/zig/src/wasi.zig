//! The little of WASI that a policy needs. `std.Io` would import all of it: files, clocks, polling.

const std = @import("std");
const wasi = std.os.wasi;

/// All of it; what cannot be written is lost.
pub fn write(fd: wasi.fd_t, bytes: []const u8) void {
    var left = bytes;
    while (left.len > 0) {
        const part: [1]wasi.ciovec_t = .{.{ .base = left.ptr, .len = left.len }};
        var written: usize = 0;
        if (wasi.fd_write(fd, &part, 1, &written) != .SUCCESS or written == 0) return;
        left = left[written..];
    }
}

/// All that stands on standard input.
pub fn readAll(allocator: std.mem.Allocator) error{ OutOfMemory, ReadFailed }![]const u8 {
    var all: std.ArrayList(u8) = .empty;
    while (true) {
        const room = try all.addManyAsSlice(allocator, 64 * 1024);
        const part: [1]wasi.iovec_t = .{.{ .base = room.ptr, .len = room.len }};
        var count: usize = 0;
        if (wasi.fd_read(0, &part, 1, &count) != .SUCCESS) return error.ReadFailed;
        all.shrinkRetainingCapacity(all.items.len - room.len + count);
        if (count == 0) return all.items;
    }
}

/// The first argument behind the program's name.
pub fn verb(allocator: std.mem.Allocator) error{OutOfMemory}!?[]const u8 {
    var count: usize = 0;
    var size: usize = 0;
    if (wasi.args_sizes_get(&count, &size) != .SUCCESS or count < 2) return null;
    const places = try allocator.alloc([*:0]u8, count);
    const text = try allocator.alloc(u8, size);
    if (wasi.args_get(places.ptr, text.ptr) != .SUCCESS) return null;
    return std.mem.span(places[1]);
}

/// Ends the policy without an answer.
pub fn exit(code: u8) noreturn {
    wasi.proc_exit(code);
}
