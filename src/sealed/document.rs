//! A sealed plan as JSON for programs: what `opsole show --output json` prints and policies are written against.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::body::Body;
use super::file::Sealed;
use super::sign::Statement;
use crate::model::Digest;

/// Name and version of the document.
const FORMAT: &str = "opsole.sealed/1";

/// A sealed plan, or one that could be sealed: then `digest` is null and nobody signed it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document<'a> {
    /// `opsole.sealed/1`.
    pub format: &'static str,
    /// Digest of the content: what people sign and name.
    #[schemars(with = "Option<String>")]
    pub digest: Option<Digest>,
    /// The content.
    pub body: &'a Body,
    /// Signed lines; the first is the seal.
    pub statements: &'a [Statement],
}

impl<'a> Document<'a> {
    /// The document of a sealed plan.
    #[must_use]
    pub fn sealed(sealed: &'a Sealed) -> Self {
        let (digest, statements) = (Some(sealed.digest()), sealed.statements.as_slice());
        Self { format: FORMAT, digest, body: &sealed.body, statements }
    }
    /// The document of a plan that nobody sealed.
    #[must_use]
    pub fn unsealed(body: &'a Body) -> Self {
        Self { format: FORMAT, digest: None, body, statements: &[] }
    }
}

/// Returns the JSON schema of [`Document`].
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document<'_>>();
    schema.insert("title".to_owned(), "sealed plan of opsole".into());
    schema.to_value()
}
