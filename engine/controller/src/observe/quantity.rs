//! Kubernetes' quantities, as numbers.

/// What a record can hold: for an API server more is no integer.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// In thousandths, rounded down. `None`: it is no quantity, or a negative one. What is too large is the largest number.
/// See <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
pub(super) fn thousandths(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (factor, divisor): (u128, u128) = match suffix {
        "n" => (1, 1_000_000),
        "u" => (1, 1_000),
        "m" => (1, 1),
        "" => (1_000, 1),
        "k" => (1_000_000, 1),
        "M" => (10_u128.pow(9), 1),
        "G" => (10_u128.pow(12), 1),
        "T" => (10_u128.pow(15), 1),
        "P" => (10_u128.pow(18), 1),
        "E" => (10_u128.pow(21), 1),
        "Ki" => (1_000 << 10, 1),
        "Mi" => (1_000 << 20, 1),
        "Gi" => (1_000 << 30, 1),
        "Ti" => (1_000 << 40, 1),
        "Pi" => (1_000 << 50, 1),
        "Ei" => (1_000 << 60, 1),
        _ => (power(suffix)?, 1),
    };
    // nine digits after the point are more than any quantity has
    let digits = format!("{whole}{:0<9}", fraction.get(..fraction.len().min(9))?);
    let number: u128 = digits.parse().ok()?;
    let amount = number.checked_mul(factor)? / divisor / 10_u128.pow(9);
    Some(u64::try_from(amount).unwrap_or(LARGEST).min(LARGEST))
}

/// `e3` and `E3`: thousandths in so many powers of ten.
fn power(suffix: &str) -> Option<u128> {
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let exponent: u32 = exponent.trim_start_matches('+').parse().ok()?;
    10_u128.checked_pow(exponent.checked_add(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_the_api_server_reads_them() {
        for (text, wanted) in [
            ("0", 0),
            ("4", 4_000),
            ("3920m", 3_920),
            ("0.5", 500),
            (".5", 500),
            ("1500000u", 1_500),
            ("2500000n", 2),
            ("1k", 1_000_000),
            ("1.5Gi", 1_610_612_736_000),
            ("16393244Ki", 16_786_681_856_000),
            ("2e3", 2_000_000),
            ("2E3", 2_000_000),
            ("12E", LARGEST),
        ] {
            assert_eq!(thousandths(text), Some(wanted), "{text}");
        }
        for text in ["", "Gi", "-1", "1x", "1 Gi", "1.2.3", "e3", "1e99999999999"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }
}
