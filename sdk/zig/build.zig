const std = @import("std");

/// The module `rectifier`, and the SDK's own tests: `zig build test`. How a policy is built with it says its project's build.zig.
pub fn build(b: *std.Build) void {
    _ = b.addModule("rectifier", .{ .root_source_file = b.path("src/rectifier.zig") });
    const tests = b.addTest(.{ .root_module = b.createModule(.{
        .root_source_file = b.path("src/rectifier.zig"),
        .target = b.graph.host,
    }) });
    b.step("test", "Run the tests on this machine").dependOn(&b.addRunArtifact(tests).step);
}
