//! Our writes are known by our name.

use kube::api::{PatchParams, PostParams};
use rectifier_api::CONTROLLER;

pub(crate) fn posts() -> PostParams {
    PostParams {
        field_manager: Some(CONTROLLER.to_owned()),
        ..PostParams::default()
    }
}

pub(crate) fn patches() -> PatchParams {
    PatchParams {
        field_manager: Some(CONTROLLER.to_owned()),
        ..PatchParams::default()
    }
}
