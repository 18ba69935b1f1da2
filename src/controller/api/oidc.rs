//! Access tokens of the organisation's identity provider, such as Entra.
//!
//! A token is taken where its signature is one of the issuer's keys', it is from that issuer and for this audience, it
//! holds now, and its `roles` give exactly one role here. Signatures are RS256 and ES256; a token that names anything else,
//! `none` or a shared secret among it, is refused before a key is looked for. Keys are fetched from the issuer's discovery
//! document, kept for an hour, and asked for anew at most once a minute where a token names one that isn't there.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation, decode, decode_header};
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Host, Url};

use crate::model::Problem;
use crate::operators::{How, Role, Who};
use crate::port::Result;

/// How far clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// How often keys are asked for anew, at the most.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How long keys are taken as they are: one that the issuer takes back is gone after that.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// How long keys are good where the issuer can't be asked.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// Bytes of a document of the issuer at the most.
const DOCUMENT_MAX: usize = 1 << 20;
/// Keys of an issuer at the most.
const KEYS_MAX: usize = 100;
/// Longest time for one document.
const PATIENCE: Duration = Duration::from_secs(5);
/// Characters of a name that is told.
const NAME_MAX: usize = 128;

/// Who is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// The issuer, exactly as its tokens name it: `https://login.microsoftonline.com/TENANT/v2.0`.
    pub issuer: String,
    /// What tokens have to be for: the application's id, or its App ID URI.
    pub audience: String,
}

/// An identity provider.
pub struct Oidc {
    config: OidcConfig,
    discovery: Url,
    http: reqwest::Client,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    set: Vec<Jwk>,
    fetched: Option<Timestamp>,
    tried: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    nbf: Option<i64>,
    #[serde(default)]
    roles: Vec<String>,
    sub: String,
    /// Entra: the same for one person in all applications, and never given to anybody else.
    oid: Option<String>,
    preferred_username: Option<String>,
}

impl Oidc {
    /// Makes one. Nothing is asked of the issuer yet.
    ///
    /// # Errors
    /// `api.oidc` where the issuer isn't an address that can be trusted: it has to be HTTPS, or this machine.
    pub fn new(config: OidcConfig) -> Result<Self> {
        let wrong = |why: String| {
            Problem::new("api.oidc", format!("`{}` can't be an issuer of access tokens", config.issuer))
                .detail(why)
                .next("take the issuer of the tenant: https://login.microsoftonline.com/TENANT-ID/v2.0")
        };
        if config.audience.trim().is_empty() {
            return Err(wrong("no audience is named: a token for anything would be let in".to_owned()));
        }
        let text = format!("{}/.well-known/openid-configuration", config.issuer.trim_end_matches('/'));
        let discovery = safe(&text).map_err(wrong)?;
        // Another part of the process may have installed them already; either is the same.
        drop(rustls::crypto::ring::default_provider().install_default());
        if PROVIDER.install_default().is_err() {
            tracing::debug!("the provider of token signatures is installed already");
        }
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("opsole/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| wrong(e.to_string()))?;
        Ok(Self { config, discovery, http, keys: Mutex::default() })
    }

    /// Returns whose a token is.
    ///
    /// # Errors
    /// Why it isn't good, for the log; never holds anything of the token but what it names as its key.
    pub(super) async fn who(&self, token: &str, now: Timestamp) -> std::result::Result<Who, String> {
        let header = decode_header(token).map_err(|e| e.to_string())?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Err(format!("{:?} isn't taken", header.alg));
        }
        let kid = header.kid.ok_or("it names no key")?;
        let key = self.key(&kid, header.alg, now).await?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Held against this program's clock below: the library would take its own.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims: Claims = decode(token, &key, &validation).map_err(|e| e.to_string())?.claims;
        let moment = |secs: i64| Timestamp::from_second(secs).map_err(|_| "a moment of it isn't one".to_owned());
        if now.duration_since(moment(claims.exp)?) >= LEEWAY {
            return Err("it has expired".to_owned());
        }
        if let Some(nbf) = claims.nbf
            && moment(nbf)?.duration_since(now) > LEEWAY
        {
            return Err("it doesn't hold yet".to_owned());
        }
        let role = Role::of_claims(claims.roles.iter().map(String::as_str));
        let role = role.ok_or("its `roles` don't give exactly one of opsole.viewer, operator, approver, admin")?;
        let subject = claims.oid.unwrap_or(claims.sub);
        if !is_name(&subject) {
            return Err("its subject isn't one".to_owned());
        }
        // A name can be changed and given to somebody else: it is for reading, and the id stands beside it.
        let name = claims.preferred_username.filter(|name| is_name(name)).unwrap_or_else(|| subject.clone());
        Ok(Who { actor: format!("{name}@oidc"), user: None, subject: Some(subject), how: How::Oidc, role })
    }

    async fn key(&self, kid: &str, alg: Algorithm, now: Timestamp) -> std::result::Result<DecodingKey, String> {
        let mut keys = self.keys.lock().await;
        let age = |moment: Option<Timestamp>| moment.map(|moment| now.duration_since(moment));
        let wanted = find(&keys.set, kid, alg).is_none() || age(keys.fetched).is_none_or(|age| age >= FRESH);
        if wanted && age(keys.tried).is_none_or(|age| age >= AGAIN) {
            keys.tried = Some(now);
            match self.fetch().await {
                Ok(set) => (keys.set, keys.fetched) = (set, Some(now)),
                Err(why) => tracing::warn!(issuer = self.config.issuer, why, "the issuer's keys can't be fetched"),
            }
        }
        if age(keys.fetched).is_none_or(|age| age >= STALE) {
            return Err("the issuer's keys aren't known".to_owned());
        }
        let key = find(&keys.set, kid, alg).ok_or("it is signed with a key that the issuer doesn't have")?;
        DecodingKey::from_jwk(key).map_err(|e| e.to_string())
    }

    async fn fetch(&self) -> std::result::Result<Vec<Jwk>, String> {
        let discovery: Discovery = self.document(&self.discovery).await?;
        if discovery.issuer != self.config.issuer {
            return Err("its discovery document is another issuer's".to_owned());
        }
        let set: JwkSet = self.document(&safe(&discovery.jwks_uri)?).await?;
        Ok(set.keys.into_iter().take(KEYS_MAX).collect())
    }

    async fn document<T: serde::de::DeserializeOwned>(&self, url: &Url) -> std::result::Result<T, String> {
        let mut response = self.http.get(url.clone()).send().await.map_err(|e| e.without_url().to_string())?;
        if response.status() != 200 {
            return Err(format!("answered {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| e.without_url().to_string())? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > DOCUMENT_MAX {
                return Err("its document is too large".to_owned());
            }
        }
        serde_json::from_slice(&bytes).map_err(|e| e.to_string())
    }
}

/// Reads an address that what it answers can be believed of: HTTPS, or this machine.
fn safe(text: &str) -> std::result::Result<Url, String> {
    let url: Url = text.parse().map_err(|e: url::ParseError| e.to_string())?;
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        _ => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && here) { Ok(url) } else { Err("it isn't HTTPS".to_owned()) }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= NAME_MAX && !text.chars().any(char::is_control)
}

/// Finds a key that is for signatures of this kind: one for encryption, or for another algorithm, isn't.
fn find<'k>(set: &'k [Jwk], kid: &str, alg: Algorithm) -> Option<&'k Jwk> {
    let named = if alg == Algorithm::RS256 { KeyAlgorithm::RS256 } else { KeyAlgorithm::ES256 };
    set.iter().find(|key| {
        let signs = key.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let same = key.common.key_algorithm.is_none_or(|one| one == named);
        let kind = match &key.algorithm {
            AlgorithmParameters::RSA(_) => alg == Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(curve) => alg == Algorithm::ES256 && curve.curve == EllipticCurve::P256,
            _ => false,
        };
        key.common.key_id.as_deref() == Some(kid) && signs && same && kind
    })
}

/// What verifies signatures: the provider that TLS brings anyway, for two algorithms and nothing else.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |alg, key| Ok(Box::new(Verifier { alg: supported(*alg)?, key: key.clone() })),
    key_utils: KeyUtils::new_unimplemented(),
};

fn supported(alg: Algorithm) -> jsonwebtoken::errors::Result<Algorithm> {
    match alg {
        Algorithm::RS256 | Algorithm::ES256 => Ok(alg),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

pub(super) struct Verifier {
    pub(super) alg: Algorithm,
    pub(super) key: DecodingKey,
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        self.alg
    }
}

impl jsonwebtoken::signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), jsonwebtoken::signature::Error> {
        let wrong = |_| jsonwebtoken::signature::Error::new();
        match (self.alg, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).map_err(wrong)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).map_err(wrong)
            }
            _ => Err(jsonwebtoken::signature::Error::new()),
        }
    }
}
