//! The garbage collector, as far as our own objects need it: a ConfigMap that a `NodeRepair` owns goes when it is gone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Cluster, text};

impl Cluster {
    /// One whose owners are all gone is deleted; of one that has another owner only the references to those that are gone
    /// go. A reference is to a UID: an object of the same name that was made later owns nothing.
    pub(super) fn collect_garbage(&self) {
        let repairs = self.api.objects("noderepairs.rectifier.dev");
        let there: BTreeSet<&str> = repairs
            .iter()
            .map(|repair| text(repair, "/metadata/uid"))
            .collect();
        for map in self.api.objects("configmaps") {
            let owners = map["metadata"]["ownerReferences"].as_array();
            let (kept, gone): (Vec<&Value>, Vec<&Value>) =
                owners.into_iter().flatten().partition(|owner| {
                    owner["kind"] != "NodeRepair" || there.contains(text(owner, "/uid"))
                });
            if gone.is_empty() {
                continue;
            }
            if kept.is_empty() {
                self.api.remove("configmaps", &map);
                continue;
            }
            let kept: Value = kept.into_iter().cloned().collect();
            self.api.change("configmaps", &map, false, |map| {
                map["metadata"]["ownerReferences"] = kept;
            });
        }
    }
}
