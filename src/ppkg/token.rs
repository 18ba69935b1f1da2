//! What a bulk token says of itself, where it can be read.
//!
//! Its form isn't documented and nobody proved that the tenant can be read offline [I] (domain.md B11): only what is
//! a JWT or JSON is read, and only these few members of it. Anything else is opaque, which is no mistake.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::TenantId;

/// Bytes of the longest token that is looked into.
const MAX_TOKEN: usize = 64 << 10;

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);

/// What is read. The secret isn't among it: what stands beside these members is skipped unread.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) tenant: Option<TenantId>,
    /// In lower case.
    pub(super) account: Option<String>,
    pub(super) expires: Option<Timestamp>,
}

/// Members of a JWT of Entra, and of the lab's token.
#[derive(Deserialize)]
struct Members {
    tid: Option<Value>,
    tenant: Option<Value>,
    upn: Option<Value>,
    unique_name: Option<Value>,
    account: Option<Value>,
    exp: Option<Value>,
    expires: Option<Value>,
}

/// Reads what a token says of itself.
pub(super) fn claims(token: &str) -> Claims {
    if token.len() > MAX_TOKEN {
        return Claims::default();
    }
    let token: Zeroizing<String> = Zeroizing::new(token.chars().filter(|sign| !sign.is_whitespace()).collect());
    let parts: Vec<&str> = token.split('.').collect();
    let body = match parts.as_slice() {
        [_, payload, _] => URL_SAFE.decode(payload),
        [whole] => STANDARD.decode(whole).or_else(|_| URL_SAFE.decode(whole)),
        _ => return Claims::default(),
    };
    let Ok(body) = body.map(Zeroizing::new) else { return Claims::default() };
    let Ok(members) = serde_json::from_slice::<Members>(&body) else { return Claims::default() };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let moment = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64().and_then(|secs| Timestamp::from_second(secs).ok()),
    };
    let upn = members.upn.or(members.unique_name).or(members.account);
    Claims {
        tenant: members.tid.or(members.tenant).as_ref().and_then(text).and_then(|id| id.parse().ok()).map(TenantId),
        account: upn.as_ref().and_then(text).filter(|upn| is_upn(upn)).map(|upn| upn.to_lowercase()),
        expires: members.exp.or(members.expires).as_ref().and_then(moment),
    }
}

/// It is shown, so it has to be a name and nothing else.
fn is_upn(text: &str) -> bool {
    text.len() <= 256 && text.contains('@') && text.chars().all(|sign| sign.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11";

    /// Catches a token whose tenant, account or end is read wrong or not at all, in each of the forms.
    #[test]
    fn what_can_be_read() {
        let expected = Claims {
            tenant: TENANT.parse().ok().map(TenantId),
            account: Some("package_1@contoso.com".to_owned()),
            expires: "2027-04-30T00:00:00Z".parse().ok(),
        };
        let jwt =
            format!(r#"{{"tid":"{TENANT}","upn":"Package_1@contoso.com","unique_name":"x","exp":1809043200,"x":[1]}}"#);
        let own =
            format!(r#"{{"account":"package_1@contoso.com","tenant":"{TENANT}","expires":"2027-04-30T00:00:00Z"}}"#);
        let signed = format!("eyJh.{}.c2ln", URL_SAFE.encode(&jwt).trim_end_matches('='));
        let mut broken = STANDARD.encode(&own);
        broken.insert_str(40, "\r\n    ");
        for token in [signed, STANDARD.encode(&own), broken] {
            assert_eq!(claims(&token), expected, "{token}");
        }
    }

    /// Catches a guess: what isn't a JWT or JSON says nothing, and neither does a member of another kind.
    #[test]
    fn what_says_nothing() {
        let odd = STANDARD.encode(r#"{"tid":1,"upn":"a b@c","exp":[]}"#);
        let large = "A".repeat(MAX_TOKEN + 1);
        for token in ["", ".", "..", "0.AXQAnZ9_x", "AAAA", "e30=", &odd, &large] {
            assert_eq!(claims(token), Claims::default(), "{token}");
        }
    }
}
