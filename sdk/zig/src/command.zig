//! The WASI command around a policy, which is the module `policy`: a question on standard input, an answer on standard
//! output. A panic writes its message as an error into the log and ends with exit code 1.

const std = @import("std");

const policy = @import("policy");
const rectifier = @import("rectifier");

const wasi = rectifier.wasi;

pub const panic = std.debug.FullPanic(giveUp);

pub const std_options: std.Options = .{
    .logFn = rectifier.log.line,
    .log_level = .debug,
    .allow_stack_tracing = false,
};

fn giveUp(message: []const u8, _: ?usize) noreturn {
    wasi.write(2, "error: ");
    wasi.write(2, message);
    wasi.write(2, "\n");
    wasi.exit(1);
}

pub fn main() void {
    // One question, one process: what it takes goes with it.
    var arena: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);
    answer(arena.allocator()) catch |err| std.debug.panic("{s}", .{@errorName(err)});
}

fn answer(arena: std.mem.Allocator) !void {
    const name = try wasi.verb(arena) orelse "";
    const verb = std.meta.stringToEnum(rectifier.Verb, name) orelse std.debug.panic("there is no verb \"{s}\"", .{name});
    const question = try wasi.readAll(arena);
    wasi.write(1, try rectifier.answer(policy, arena, verb, question));
}
