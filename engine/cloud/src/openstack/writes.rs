//! The calls that change something. Each stands here, so that a test can ask whether it has met all of them.

use crate::error::Call;

macro_rules! writes {
    ($($call:ident: $name:literal)+) => {
        $(pub(super) const $call: Call = Call { name: $name, writes: true };)+

        /// All of them.
        pub const WRITES: &[Call] = &[$($call),+];
    };
}

writes! {
    CREATE_PORT: "create port"
    TAG_PORT: "tag port"
    DELETE_PORT: "delete port"
    CREATE_SERVER: "create server"
    DELETE_SERVER: "delete server"
    REBOOT_SERVER: "reboot server"
    START_SERVER: "start server"
    STOP_SERVER: "stop server"
    SET_METADATA: "set metadata"
}
