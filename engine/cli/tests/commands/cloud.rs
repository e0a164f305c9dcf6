//! `rectifier cloud`, as far as it asks nobody.

use anyhow::{Context, Result, ensure};

use crate::support::Desk;

/// As `openstack application credential create --access-rules` reads them.
#[test]
fn the_access_rules_are_a_list_that_keystone_takes() -> Result<()> {
    let said = Desk::new()?
        .call(&["cloud", "access-rules"])?
        .ended(0)?
        .json()?;
    let rules = said.as_array().context("a list")?;
    let word = |rule: &serde_json::Value, key: &str| -> Result<String> {
        Ok(rule[key].as_str().context("a word")?.to_owned())
    };
    for rule in rules {
        let keys = rule.as_object().context("an object")?.len();
        // Keystone's own pattern, and its longest
        let path = word(rule, "path")?;
        ensure!(path.starts_with('/') && path.len() <= 128, "{rule}");
        let service = word(rule, "service")?;
        ensure!(
            ["compute", "image", "network"].contains(&service.as_str()),
            "{rule}"
        );
        let method = word(rule, "method")?;
        ensure!(
            ["GET", "POST", "PUT", "DELETE"].contains(&method.as_str()),
            "{rule}"
        );
        ensure!(keys == 3, "{rule}");
    }
    ensure!(rules.len() > 10, "{rules:?}");
    Ok(())
}
