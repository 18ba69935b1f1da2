//! Who it is that signed in: the server is asked, since Kerberos takes whatever credential it finds.

use ldap3::exop::WhoAmI;
use ldap3::result::ExopResult;
use ldap3::{Ldap, Scope};

use super::super::account;
use super::super::fault::{self, Fault, request};
use super::{Root, SignIn};
use crate::model::{Problem, Sid};
use crate::winformat::ad::filter_value;
use crate::winformat::sid;

/// `protocolError`: what a server says of an operation that it doesn't know (RFC 4511, 4.12).
const NOT_KNOWN: u32 = 2;

/// Asks "Who am I?" (RFC 4532), and refuses anybody but the account of the plan.
///
/// The answer has a name, which may be the plan's. Where it isn't written so, or the server doesn't know the question as
/// Samba 4.17, the account's SID has to be among those of this connection ([MS-ADTS] 3.1.1.3.2, `tokenGroups` of the root).
///
/// # Errors
/// `directory.other-account`, and what the server says.
pub(super) async fn check(asked: SignIn<'_>, ldap: &mut Ldap, root: &Root) -> Result<(), Fault> {
    let said = ask(asked, ldap).await?;
    let name = said.as_deref().map(signed_in);
    if name == Some(None) {
        let message = format!("{} says that nobody signed in, and a directory tells strangers nothing", asked.server);
        return Err(other(message, "name another domain controller under `directory.server`"));
    }
    let name = name.flatten();
    if name.is_some_and(|name| same(name, asked.account)) {
        return Ok(());
    }
    let token = token(asked, ldap).await?;
    if wanted(asked, ldap, root).await?.is_some_and(|wanted| token.contains(&wanted)) {
        return Ok(());
    }
    let name = match (name, token.first()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(sid)) => named(asked, ldap, sid).await?,
        (None, None) => "somebody whom the server doesn't name".to_owned(),
    };
    let message = format!("the Kerberos credential is that of {name}, and the plan names `{}`", asked.account);
    let next = "run it as the account that the plan names, sign in with `kinit` as that account, or write under \
                `directory.account.name` who it is";
    Err(other(message, next))
}

fn other(message: String, next: &str) -> Fault {
    Fault::Refused(0, Problem::new("directory.other-account", message).next(next))
}

/// Returns what the server answers; none where it doesn't know the question.
async fn ask(asked: SignIn<'_>, ldap: &mut Ldap) -> Result<Option<String>, Fault> {
    let what = "asking who signed in";
    let answer = ldap.with_timeout(asked.answer).extended(WhoAmI).await;
    let ExopResult(said, result) = answer.map_err(|e| request(what, asked.server, e))?;
    match result.rc {
        // Bytes, and not what ldap3 reads of them: it takes for granted that they are UTF-8.
        0 => Ok(Some(said.val.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned())),
        NOT_KNOWN => Ok(None),
        _ => Err(fault::result(what, &result)),
    }
}

/// Returns the SIDs that this connection has rights by, its account's own first.
async fn token(asked: SignIn<'_>, ldap: &mut Ldap) -> Result<Vec<Sid>, Fault> {
    let what = "asking who signed in";
    let found = asked.search(ldap, what, "", Scope::Base, "(objectClass=*)", &["tokenGroups"]).await?;
    let all = found.iter().flat_map(|root| root.all("tokenGroups"));
    Ok(all.filter_map(|bytes| sid::from_bytes(bytes).ok()).collect())
}

/// Returns whose SID it is, for people.
async fn named(asked: SignIn<'_>, ldap: &mut Ldap, sid: &Sid) -> Result<String, Fault> {
    let what = "looking for who signed in";
    let base = format!("<SID={sid}>");
    match asked.search(ldap, what, &base, Scope::Base, "(objectClass=*)", &["sAMAccountName"]).await {
        Ok(found) => {
            Ok(found.first().and_then(|one| one.text("sAMAccountName")).map_or(sid.to_string(), str::to_owned))
        }
        Err(Fault::Refused(..)) => Ok(sid.to_string()),
        Err(broken) => Err(broken),
    }
}

/// Returns the name in an answer, `u:CORP\name` in Active Directory [R: MS-ADTS 3.1.1.3.4.2.4]; none where it is empty, which
/// is an anonymous one (RFC 4532, 2.2).
fn signed_in(said: &str) -> Option<&str> {
    let name = said.strip_prefix("u:").or_else(|| said.strip_prefix("dn:")).unwrap_or(said).trim();
    // `NT AUTHORITY\ANONYMOUS LOGON` has a name of its own, in the language of the server.
    (!name.is_empty()).then_some(name)
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Returns the SID of the plan's account, where the domain has it.
async fn wanted(asked: SignIn<'_>, ldap: &mut Ldap, root: &Root) -> Result<Option<Sid>, Fault> {
    // Another domain may have an account of the same name.
    if let Some((domain, _)) = asked.account.split_once('\\')
        && !domain.eq_ignore_ascii_case(asked.domain)
        && !short_name(asked, ldap, root).await?.is_some_and(|short| same(&short, domain))
    {
        return Ok(None);
    }
    let filter = account::filter(asked.account);
    let what = "looking for the account";
    let found = asked.search(ldap, what, &root.domain, Scope::Subtree, &filter, &["objectSid"]).await?;
    let [found] = found.as_slice() else { return Ok(None) };
    Ok(found.sid("objectSid"))
}

/// Returns the short name of the domain ([MS-ADTS] 6.1.1.2.1.1).
async fn short_name(asked: SignIn<'_>, ldap: &mut Ldap, root: &Root) -> Result<Option<String>, Fault> {
    let partitions = format!("CN=Partitions,{}", root.configuration);
    let filter = format!("(&(objectClass=crossRef)(nCName={}))", filter_value(&root.domain));
    let what = "reading the domain's short name";
    let found = asked.search(ldap, what, &partitions, Scope::OneLevel, &filter, &["nETBIOSName"]).await?;
    Ok(found.first().and_then(|domain| domain.text("nETBIOSName")).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches nobody taken for somebody.
    #[test]
    fn names() {
        assert_eq!(signed_in("u:CORP\\svc"), Some("CORP\\svc"));
        assert_eq!(signed_in("dn:CN=svc,DC=corp"), Some("CN=svc,DC=corp"));
        for nobody in ["", "u:", "dn:", " "] {
            assert_eq!(signed_in(nobody), None, "{nobody}");
        }
        assert!(same("CORP\\Gmsa-Ü$", "corp\\GMSA-ü$") && !same("CORP\\svc", "OTHER\\svc"));
    }
}
