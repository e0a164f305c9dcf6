//! What a replacement is called. How the two parts are put together is the pool's matter; that nobody bears the name yet is
//! looked at before it is taken.

/// What may stand in a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The sick node's name, without what an earlier repair put behind it; at most 55 characters.
    pub base: String,
    /// Seven characters that are this attempt's.
    pub id: String,
}

/// A host name has at most so many characters (RFC 1123), and a Node is named after its host.
pub const LONGEST: usize = 63;

impl Parts {
    /// Of attempt `number` of the repair with this UID.
    pub fn of(node: &str, repair_uid: &str, number: u32) -> Self {
        let base = match node.rsplit_once('-') {
            Some((base, suffix)) if is_id(suffix) => base,
            Some(_) | None => node,
        };
        let stem: String = base.chars().take(LONGEST - 8).collect();
        Self {
            base: stem.trim_end_matches(['-', '.']).to_owned(),
            id: format!("{}{:x}", stem_of_ids(repair_uid), number % 16),
        }
    }
}

/// What the ids of all attempts of a repair begin with: by it a server's name tells whose it was when nothing else does.
pub fn stem_of_ids(repair_uid: &str) -> String {
    let hex = repair_uid.chars().filter(char::is_ascii_hexdigit);
    let hex: String = hex.take(5).collect();
    format!("r{hex:0<5}")
}

/// A name that an earlier repair gave ends so, unless its pool put the parts together otherwise.
fn is_id(text: &str) -> bool {
    text.len() == 7 && text.starts_with('r') && text[1..].bytes().all(|b| b.is_ascii_hexdigit())
}

/// Why a machine and its Node cannot be called so.
///
/// # Errors
/// The name is none of a host, or does not say which attempt it is of.
pub fn check(name: &str, parts: &Parts) -> Result<(), String> {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_host = name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && is_edge(name.as_bytes().first())
        && is_edge(name.as_bytes().last());
    if !is_host {
        return Err(format!(
            "{name:?} is no host name: a to z, 0 to 9 and -, and no - at either end"
        ));
    }
    if name.len() > LONGEST {
        return Err(format!(
            "{name:?} has {} characters: a host name has at most {LONGEST}",
            name.len()
        ));
    }
    match name.contains(&parts.id) {
        true => Ok(()),
        false => Err(format!(
            "{name:?} does not have the id: the next attempt would be called the same"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "6f1c2a3b-0000-4000-8000-000000000000";

    fn joined(node: &str, uid: &str, number: u32) -> String {
        let parts = Parts::of(node, uid, number);
        let name = format!("{}-{}", parts.base, parts.id);
        check(&name, &parts).unwrap();
        name
    }

    #[test]
    fn a_replacements_name_is_short_new_and_does_not_grow() {
        let first = joined("worker-1", UID, 1);
        assert_eq!(first, "worker-1-r6f1c21");
        assert_eq!(joined(&first, "aaaaaaaa-0000", 2), "worker-1-raaaaa2");
        assert_eq!(joined(&"a".repeat(80), UID, 1).len(), LONGEST);
        assert_ne!(joined("worker-1", UID, 2), first);
        assert_eq!(Parts::of("a-", UID, 1).base, "a");
    }

    #[test]
    fn only_an_id_of_ours_is_taken_off_a_name() {
        for node in [
            "web-rabc",
            "web-rabcdef0",
            "web-xabcdef",
            "web-rabcdeg",
            "web-abcdef0",
            "rabcdef",
        ] {
            assert_eq!(joined(node, UID, 1), format!("{node}-r6f1c21"));
        }
    }

    #[test]
    fn what_no_machine_can_be_called_is_refused() {
        let parts = Parts::of("web", UID, 1);
        for (name, why) in [
            ("", "no host name"),
            ("-r6f1c21", "no host name"),
            ("r6f1c21-", "no host name"),
            ("Web-r6f1c21", "no host name"),
            ("web.r6f1c21", "no host name"),
            ("web", "the id"),
        ] {
            let refused = check(name, &parts).unwrap_err();
            assert!(refused.contains(why), "{name}: {refused}");
        }
        let longest = format!("r6f1c21{}", "a".repeat(LONGEST - 7));
        assert_eq!(check(&longest, &parts), Ok(()));
        assert!(check(&format!("{longest}a"), &parts).is_err());
    }
}
