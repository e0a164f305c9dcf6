//! Maintenance windows of a pool: whether a problem has to wait for one.

use jiff::tz::TimeZone;
use rectifier_api::{Maintenance, RepairPool};
use rectifier_core::clock::Timestamp;
use rectifier_core::windows::{Opening, opening};

/// No window is open.
pub(crate) struct Shut {
    /// In these words until the next one opens.
    pub(crate) words: String,
    /// When that is, if it is known.
    pub(crate) until: Option<Timestamp>,
}

/// A repair of this problem does not begin now.
pub(crate) fn waits(pool: &RepairPool, problem: &str, now: Timestamp) -> Option<Shut> {
    let maintenance = pool.spec.maintenance.as_ref()?;
    let can_wait = maintenance.problems.iter().any(|kind| kind == problem);
    can_wait.then(|| shut(maintenance, now))?
}

fn shut(maintenance: &Maintenance, now: Timestamp) -> Option<Shut> {
    let never = |words: String| Some(Shut { words, until: None });
    let zone = match zone(maintenance) {
        Ok(zone) => zone,
        Err(why) => return never(why),
    };
    match opening(&maintenance.windows, &zone, now) {
        Opening::Open => None,
        Opening::Opens(when) => {
            let on_the_wall = when.to_zoned(zone);
            Some(Shut {
                words: format!(
                    "the next one opens {}",
                    on_the_wall.strftime("%a %F %H:%M %Z")
                ),
                until: Some(when),
            })
        }
        Opening::Never => never("none of them ever opens".to_owned()),
    }
}

/// Why the pool's windows cannot be understood, if they cannot: what can wait then waits without end.
pub(crate) fn check(pool: &RepairPool) -> Result<(), String> {
    match &pool.spec.maintenance {
        Some(maintenance) => zone(maintenance).map(drop),
        None => Ok(()),
    }
}

/// By the names that were known when this program was made: an image of it holds no others.
fn zone(maintenance: &Maintenance) -> Result<TimeZone, String> {
    let name = maintenance.time_zone.as_str();
    TimeZone::get(name).map_err(|_| format!("{name:?} is no time zone"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pool(time_zone: &str) -> RepairPool {
        serde_json::from_value(json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool", "metadata": {"name": "web"},
            "spec": {
                "nodeSelector": {},
                "maintenance": {
                    "problems": ["KernelOutdated"], "timeZone": time_zone,
                    "windows": [{"days": ["Sunday"], "from": "01:00", "to": "04:00"}],
                },
            },
        }))
        .unwrap()
    }

    #[test]
    fn only_what_can_wait_waits_and_in_words_of_the_wall_clock() {
        let now: Timestamp = "2026-07-18T12:00:00Z".parse().unwrap();
        let told = waits(&pool("Europe/Berlin"), "KernelOutdated", now).unwrap();
        assert_eq!(told.words, "the next one opens Sun 2026-07-19 01:00 CEST");
        assert_eq!(told.until, "2026-07-18T23:00:00Z".parse().ok());
        assert!(waits(&pool("Europe/Berlin"), "KubeletUnhealthy", now).is_none());
        let open: Timestamp = "2026-07-18T23:30:00Z".parse().unwrap();
        assert!(waits(&pool("Europe/Berlin"), "KernelOutdated", open).is_none());
    }

    #[test]
    fn a_zone_that_is_none_is_told_and_nothing_begins() {
        let wrong = pool("Europe/Bern");
        assert!(check(&wrong).unwrap_err().contains("Europe/Bern"));
        let now = Timestamp::UNIX_EPOCH;
        assert!(waits(&wrong, "KernelOutdated", now).is_some());
        assert!(check(&pool("UTC")).is_ok());
    }
}
