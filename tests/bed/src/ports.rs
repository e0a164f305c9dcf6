//! Free TCP ports for servers that want to be told theirs.
//!
//! Asking the kernel for port 0 and handing the number on is a race twice over: another bed may be
//! given the same number before our server listens, and so may any outgoing connection of the
//! machine, since port 0 is drawn from the range of those. So a port is taken *below* that range,
//! and claimed by a lock on a file that all beds of this machine share; the lock is the kernel's,
//! and ends with the process that holds it.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};

/// Above the well-known ports, below `net.ipv4.ip_local_port_range` (32768 by default).
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that nothing listens on, ours until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: Flock<File>,
}

impl Port {
    /// Claims a free port; `claims` is the folder of claims that all beds share.
    ///
    /// # Errors
    /// If the folder cannot be written, or no port is free.
    pub fn claim(claims: &Path) -> Result<Self> {
        std::fs::create_dir_all(claims).with_context(|| format!("making {}", claims.display()))?;
        // Any start will do; processes that start at the same moment had better not walk the same
        // way.
        let offset = usize::try_from(std::process::id())? * 61 % RANGE.len();
        for number in RANGE.skip(offset).chain(RANGE.take(offset)) {
            let file = claims.join(number.to_string());
            let file = File::create(&file).with_context(|| format!("making {}", file.display()))?;
            let Ok(claim) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
                continue;
            };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self {
                    number,
                    _claim: claim,
                });
            }
        }
        bail!("no port from {} to {} is free", RANGE.start, RANGE.end);
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.number.fmt(f)
    }
}
