//! The allocator's memory. Loading a policy takes buffers many times larger than what remains of it, on threads that come
//! and go; glibc keeps such memory, for each thread apart, and that would be more than the policies.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, mallopt};

/// What is at least so large is its own mapping, and goes when it is freed. 64 KiB: a policy's file is larger.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_MAPPING: i32 = 64 << 10;

/// For a program that lives long and does one thing at a time: all its threads allocate from one place, and what is large
/// goes when it is freed. To be called first of all. With another C library than glibc it does nothing.
pub fn keep_small() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library has no other way")]
    // SAFETY: it takes any numbers; one that it does not know, it refuses.
    unsafe {
        mallopt(M_ARENA_MAX, 1);
        mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
    }
}

/// Gives back to the system what nobody uses. Takes about a millisecond.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library has no other way")]
    // SAFETY: it may be called by any thread at any time, and touches no memory that is in use.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
