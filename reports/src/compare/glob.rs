//! Patterns for cells and metrics: `*` stands for any run of characters, all else for itself.

/// Whether `text` as a whole matches `pattern`.
#[must_use]
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        assert!(matches_glob("ops.*.p99_ns", "ops.pamt_get.p99_ns"));
        assert!(matches_glob("*", ""));
        assert!(matches_glob("a*b*c", "a-b-b-c"));
        assert!(!matches_glob("ops.*.p99_ns", "ops.pamt_get.p999_ns"));
        assert!(!matches_glob("ab*ba", "aba"));
    }

    #[test]
    fn without_a_star_the_text_must_be_equal() {
        assert!(matches_glob("virtual_time_ns", "virtual_time_ns"));
        assert!(!matches_glob("virtual_time", "virtual_time_ns"));
    }
}
