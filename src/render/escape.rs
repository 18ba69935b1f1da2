//! Foreign text in notations of others: one place that knows what each of them takes for markup.

/// A sign that would end a line or move a terminal becomes a blank.
fn flat(sign: char) -> char {
    if sign.is_control() || matches!(sign, '\u{2028}' | '\u{2029}') { ' ' } else { sign }
}

/// Returns foreign text that no renderer takes for markup, a mention, a reference, a link or a command.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut signs = text.chars().map(flat).peekable();
    while let Some(sign) = signs.next() {
        // `www.` and `://` would become links without any brackets.
        let links = (sign == ':' && signs.peek() == Some(&'/')) || (sign == '.' && out.to_lowercase().ends_with("www"));
        if matches!(
            sign,
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' | '$' | '^' | '@'
        ) || links
        {
            out.push('\\');
        }
        out.push(sign);
        // Mentions and references are looked for after markup is read, so a backslash doesn't stop them: a word joiner,
        // which isn't seen, does.
        let refers = matches!(sign, '@' | '#' | '!' | '~' | '$' | '%' | '&' | '^');
        if refers && signs.peek().is_some_and(|next| next.is_alphanumeric()) {
            out.push('\u{2060}');
        }
    }
    out
}

/// Returns a foreign name as code, in which nothing is markup but the fence itself, and in a table the bar.
pub(super) fn code(name: &str) -> String {
    let clipped = name.chars().map(flat).collect::<String>().replace('|', "\\|");
    let mut longest = 0;
    let mut run = 0;
    for sign in clipped.chars() {
        run = if sign == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    if clipped.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{clipped}{pad}{fence}")
}

/// Returns foreign text for an element or an attribute of XML and HTML; signs that XML can't hold are shown as `?`.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            sign if sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            sign => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches an attribute that foreign text ends, and a sign that makes the whole document unreadable.
    #[test]
    fn xml_stays_one_text() {
        assert_eq!(xml("a\"><b>&'\u{1}\n\u{ffff}"), "a&quot;&gt;&lt;b&gt;&amp;&#39;? ?");
    }
}
