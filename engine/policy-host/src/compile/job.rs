//! What is said between an engine and its compiling child.

use crate::engine::Metering;

/// The first byte of the result: native code follows.
pub(super) const COMPILED: u8 = 0;
/// Why the module does not compile follows.
pub(super) const REFUSED: u8 = 1;

/// What precedes the module on the child's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) address_space: u64,
    pub(super) cpu_seconds: u64,
    pub(super) metering: Metering,
    /// It takes long, so it goes behind everything else that the machine does.
    pub(super) is_large: bool,
}

impl Job {
    const BYTES: usize = 18;

    pub(super) fn header(self) -> [u8; Self::BYTES] {
        let mut header = [0; Self::BYTES];
        header[..8].copy_from_slice(&self.address_space.to_le_bytes());
        header[8..16].copy_from_slice(&self.cpu_seconds.to_le_bytes());
        header[16] = match self.metering {
            Metering::Epoch => 0,
            Metering::Fuel => 1,
        };
        header[17] = self.is_large.into();
        header
    }

    #[cfg(feature = "compiler")]
    pub(super) fn read(input: &mut impl std::io::Read) -> std::io::Result<Self> {
        let (mut address_space, mut cpu_seconds, mut kinds) = ([0; 8], [0; 8], [0; 2]);
        input.read_exact(&mut address_space)?;
        input.read_exact(&mut cpu_seconds)?;
        input.read_exact(&mut kinds)?;
        let (metering, is_large) = match kinds {
            [0, large @ (0 | 1)] => (Metering::Epoch, large == 1),
            [1, large @ (0 | 1)] => (Metering::Fuel, large == 1),
            [_, _] => return Err(std::io::ErrorKind::InvalidData.into()),
        };
        Ok(Self {
            address_space: u64::from_le_bytes(address_space),
            cpu_seconds: u64::from_le_bytes(cpu_seconds),
            metering,
            is_large,
        })
    }
}
