//! `opsole drain`: have the run that goes on begin nothing new.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::cli::args::DrainArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::operator_file::OperatorFile;
use crate::cli::settings::Settings;
use crate::model::Problem;
use crate::net::{self, ClientSettings};

/// Where the token of a controller elsewhere is taken from.
const TOKEN: &str = "OPSOLE_API_TOKEN";

/// Asks the controller to drain.
///
/// # Errors
/// `operator.no-run`, `operator.url`, `operator.no-token`, `operator.unreachable`, `operator.refused`.
pub async fn run(settings: &Settings, args: &DrainArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let (url, token, http) = match &args.url {
        Some(url) => {
            let url = safe(url)?;
            let http = net::client(url.as_str(), &ClientSettings::default())?;
            (url, named_token()?, http)
        }
        None => {
            let file = OperatorFile::read(&settings.state()?)?;
            let url = safe(&file.url)?;
            let http = net::client_at(url.as_str(), &file.connection, Some(file.at))?;
            (url, SecretString::from(file.token), http)
        }
    };
    let answer = post(&http, &url, "api/v1/run/drain", &token).await?;
    if ui.json() {
        ui.answer_json(&json!({"format": "opsole.drain/1", "run": answer["run"]}))?;
    } else {
        ui.answer(
            "The run begins nothing new. What is past the point of no return is finished; `opsole status` shows it.",
        )?;
    }
    Ok(Exit::OK)
}

fn named_token() -> Result<SecretString, Problem> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty()).map(SecretString::from).ok_or_else(|| {
        Problem::new("operator.no-token", format!("{TOKEN} isn't set"))
            .next("sign in at the controller, and put the token there")
    })
}

/// A token goes to HTTPS, or nowhere beyond this machine.
fn safe(text: &str) -> Result<Url, Problem> {
    let wrong = |why: String| {
        Problem::new("operator.url", format!("`{text}` can't be the address of a controller"))
            .detail(why)
            .next("name it like `https://controller.example.com:8443`")
    };
    let mut url: Url = text.parse().map_err(|e: url::ParseError| wrong(e.to_string()))?;
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && here) {
        return Err(wrong("the token would go there in the clear".to_owned()));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

async fn post(http: &reqwest::Client, base: &Url, path: &str, token: &SecretString) -> Result<Value, Problem> {
    let unreachable = |why: String| {
        Problem::new("operator.unreachable", "the controller doesn't answer")
            .detail(why)
            .next("see whether `opsole apply` still runs; `opsole status` shows where the run stands")
    };
    let url = base.join(path).map_err(|e| unreachable(e.to_string()))?;
    let answer = http.post(url).timeout(Duration::from_secs(30)).bearer_auth(token.expose_secret()).send().await;
    let answer = answer.map_err(|e| unreachable(e.to_string()))?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let said = serde_json::from_value::<Problem>(body).ok();
    let next = match status.as_u16() {
        401 => "sign in again, or see whether the file is of a run that has ended".to_owned(),
        _ => said.as_ref().and_then(|said| said.next.clone()).unwrap_or_else(|| "try again".to_owned()),
    };
    let why = said.map_or_else(|| status.to_string(), |said| said.to_string());
    Err(Problem::new("operator.refused", "the controller refused").detail(why).next(next))
}
