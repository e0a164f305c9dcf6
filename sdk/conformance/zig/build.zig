const std = @import("std");

/// Where the SDK is.
const sdk = "../../zig";

/// `zig build` makes bin/policy.wasm, `zig build test` runs the tests on this machine.
pub fn build(b: *std.Build) void {
    const wasi = b.resolveTargetQuery(.{ .cpu_arch = .wasm32, .os_tag = .wasi });
    const rectifier = b.createModule(.{ .root_source_file = ofSdk(b, "src/rectifier.zig") });
    const policy = b.createModule(.{ .root_source_file = b.path("src/policy.zig") });
    policy.addImport("rectifier", rectifier);

    const command = b.addExecutable(.{
        .name = "policy",
        .root_module = b.createModule(.{
            .root_source_file = ofSdk(b, "src/command.zig"),
            .target = wasi,
            // A policy that overflows has to fail, not to decide something.
            .optimize = .safe,
            .strip = true,
            .single_threaded = true,
            .imports = &.{
                .{ .name = "rectifier", .module = rectifier },
                .{ .name = "policy", .module = policy },
            },
        }),
    });
    // Far more than a policy needs; the default of 16 MiB would count as its memory.
    command.stack_size = 256 * 1024;
    b.installArtifact(command);

    const tests = b.addTest(.{ .root_module = b.createModule(.{
        .root_source_file = b.path("src/policy.zig"),
        .target = b.graph.host,
        .imports = &.{.{ .name = "rectifier", .module = rectifier }},
    }) });
    b.step("test", "Run the policy's tests on this machine").dependOn(&b.addRunArtifact(tests).step);
}

fn ofSdk(b: *std.Build, file: []const u8) std.Build.LazyPath {
    const path = b.pathJoin(&.{ sdk, file });
    return if (std.fs.path.isAbsolute(sdk)) b.graph.cwdRelativePath(path) else b.path(path);
}
