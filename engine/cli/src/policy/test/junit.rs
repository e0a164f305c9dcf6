//! A JUnit report, as CI systems read it.

use super::report::{CaseReport, SuiteReport};

pub(super) fn write(suites: &[SuiteReport]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in suites {
        let failed = suite
            .cases
            .iter()
            .filter(|case| case.failure.is_some())
            .count();
        xml.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\">\n",
            escaped(&suite.file),
            suite.cases.len(),
        ));
        for case in &suite.cases {
            xml.push_str(&self::case(suite, case));
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(suite: &SuiteReport, case: &CaseReport) -> String {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}.{:03}\"",
        escaped(&suite.policy),
        escaped(&case.name),
        case.milliseconds / 1000,
        case.milliseconds % 1000,
    );
    let Some(failure) = &case.failure else {
        return format!("{head}/>\n");
    };
    format!(
        "{head}>\n      <failure message=\"{}\">{}:{}:{}\n{}</failure>\n    </testcase>\n",
        escaped(&failure.message),
        escaped(&suite.file),
        failure.line,
        failure.column,
        escaped(failure.difference.as_deref().unwrap_or_default()),
    )
}

/// As XML has it; control characters have no place there at all.
fn escaped(text: &str) -> String {
    text.chars()
        .filter(|&letter| !letter.is_control() || letter == '\n')
        .map(|letter| match letter {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::FailureReport;
    use super::*;

    #[test]
    fn what_failed_is_told_with_its_place_and_nothing_breaks_the_xml() {
        let case = |name: &str, failure| CaseReport {
            name: name.to_owned(),
            steps: 1,
            milliseconds: 1234,
            failure,
        };
        let failure = FailureReport {
            line: 3,
            column: 7,
            message: "it is \"<other>\" & \u{1b}more".to_owned(),
            difference: Some("- a\n+ b".to_owned()),
        };
        let suite = SuiteReport {
            policy: "a.wasm".to_owned(),
            file: "a.cases.yaml".to_owned(),
            cases: vec![case("well", None), case("ill", Some(failure))],
        };
        let xml = write(&[suite]);
        assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
        assert!(xml.contains("name=\"well\" time=\"1.234\"/>"), "{xml}");
        assert!(
            xml.contains("message=\"it is &quot;&lt;other&gt;&quot; &amp; more\""),
            "{xml}"
        );
        assert!(
            xml.contains("a.cases.yaml:3:7\n- a\n+ b</failure>"),
            "{xml}"
        );
    }
}
