//! Clauses that messages of every layer share: a list that is cut, the beginning of a reason.

/// Joins names and says how many are left out: `a, b, c and 7 more`. `names` may be a fleet's: only `most` are kept.
#[must_use]
pub fn some<S: AsRef<str>>(names: impl IntoIterator<Item = S>, most: usize) -> String {
    let mut names = names.into_iter();
    let mut text = String::new();
    for name in names.by_ref().take(most) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(name.as_ref());
    }
    match names.count() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Returns the beginning of a reason for which something couldn't be read: the finding of the whole plan says the rest,
/// with request ids.
#[must_use]
pub fn brief(why: &str) -> &str {
    why.split("; ").next().unwrap_or(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a list that is cut one too early or late, or that counts what it shows.
    #[test]
    fn a_cut_list_counts_what_it_leaves_out() {
        assert_eq!(some(Vec::<String>::new(), 3), "");
        assert_eq!(some(["a", "b", "c"], 3), "a, b, c");
        assert_eq!(some(["a", "b", "c", "d", "e"], 3), "a, b, c and 2 more");
    }

    /// Catches a device's message that repeats request ids.
    #[test]
    fn a_reason_is_cut_at_its_first_end() {
        assert_eq!((brief("403; request-id 7"), brief("403")), ("403", "403"));
    }
}
