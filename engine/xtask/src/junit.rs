//! Which tests ran and which failed, from the report that nextest writes for machines.
//!
//! It is XML that one known program writes, of which three elements matter; so it is searched for
//! them, not parsed. An attribute's value cannot hold a `<` or a `"` there: they are written as
//! entities.

/// The outcome of a run: tests, each as `PROGRAM NAME`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) passed: Vec<String>,
    pub(crate) failed: Vec<Failed>,
}

/// A test that failed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) name: String,
    /// Its whole output, with XML's entities as they stand.
    pub(crate) said: String,
}

/// Reads a JUnit report.
pub(crate) fn outcome(report: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for case in report.split("<testcase").skip(1) {
        let head = case.split('>').next().unwrap_or_default();
        let (Some(program), Some(name)) = (attribute(head, "classname"), attribute(head, "name"))
        else {
            continue;
        };
        let body = match head.ends_with('/') {
            true => "",
            false => case.split("</testcase>").next().unwrap_or_default(),
        };
        let failed = body.contains("<failure") || body.contains("<error");
        let name = format!("{program} {name}");
        if failed {
            let said = body.to_owned();
            outcome.failed.push(Failed { name, said });
        } else {
            outcome.passed.push(name);
        }
    }
    outcome
}

fn attribute<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    // with the blank before it: `classname` ends in `name`, too
    let (_, value) = head.split_once(&format!(" {name}=\""))?;
    value.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_and_failed_tests_are_told_apart() {
        let report = r#"<?xml version="1.0"?>
<testsuites name="nextest-run" tests="3" failures="1" errors="1">
  <testsuite name="rectifier-core" tests="3">
    <testcase name="a::holds" classname="rectifier-core" time="0.1"/>
    <testcase name="b" classname="rectifier-core" time="0.1">
      <failure message="assertion &quot;x&quot;" type="test failure">text</failure>
    </testcase>
    <testcase name="c" classname="rectifier-core" time="0.1"><error>x</error></testcase>
    <testcase name="d" classname="rectifier-core"><system-out>out</system-out></testcase>
  </testsuite>
</testsuites>"#;
        let outcome = outcome(report);
        assert_eq!(
            outcome.passed,
            ["rectifier-core a::holds", "rectifier-core d"]
        );
        let failed: Vec<&str> = outcome.failed.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(failed, ["rectifier-core b", "rectifier-core c"]);
        assert!(outcome.failed[0].said.contains("text"));
    }

    #[test]
    fn a_report_of_nothing_has_nothing() {
        assert_eq!(outcome("<testsuites></testsuites>"), Outcome::default());
    }
}
