//! What wasn't read of a tenant, and what lets it be read: the reason that was given decides, never the check that
//! needed it, for one check may read several parts with a permission each.

use super::Judged;
use crate::model::Permission;

/// What lets anything be read of a tenant that gives no token.
pub(super) const NO_TOKEN: &str = "see what `app.credential` says: without a token nothing of this tenant can be read";

/// What the code of a refused token begins with where a reason names it.
const CODE: &str = "(token.";

/// Judges what couldn't be read; the text ends with the reason.
pub(super) fn unread(seen: String) -> Judged {
    let remedy = remedy(&seen);
    Judged::unknown(seen).remedy(remedy)
}

fn remedy(why: &str) -> String {
    if why.contains(CODE) {
        return NO_TOKEN.to_owned();
    }
    let words = why.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '.'));
    let mut named: Vec<&str> = Vec::new();
    for word in words.map(|word| word.trim_matches('.')) {
        if Permission::named(word).is_some() && !named.contains(&word) {
            named.push(word);
        }
    }
    if named.is_empty() {
        return "see what `app.permissions` says, then look again".to_owned();
    }
    format!("grant {} to the application and consent to it, then look again", named.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a finding that names one permission and advises another: granting what it says mended nothing.
    #[test]
    fn the_refusal_names_what_to_grant() {
        let refusal = "users couldn't be read: can't read role assignments in tenant contoso: the app needs \
                       RoleManagement.Read.Directory and User.Read.All (graph.forbidden); GET /v1.0/users: 403 x";
        assert_eq!(
            remedy(refusal),
            "grant RoleManagement.Read.Directory and User.Read.All to the application and consent to it, then look again"
        );
        assert!(remedy("x: tenant a gives no token: disabled (token.app-disabled)").contains("`app.credential`"));
        for other in ["the snapshot doesn't hold this tenant", "tenant a doesn't answer (HTTP 503) (graph.unavailable)"]
        {
            assert!(remedy(other).contains("`app.permissions`"), "{other}");
        }
    }
}
