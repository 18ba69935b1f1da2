//! The page of a plan in a real browser: Chromium without a window, driven through chromedriver.
//!
//! Where either isn't installed the tests say so and pass; `ci/test` installs both where it can.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use opsole::render::review::{Shown, html};
use opsole::sealed::{DeviceLine, Sealed};
use serde_json::{Value, json};

use crate::support::TestEnv;

/// Devices of the large page, and the time within which its filter has to answer.
const DEVICES: usize = 10_000;
const FILTER_MS: f64 = 200.0;
/// Longest wait for the browser, and for a whole test.
const WAIT: Duration = Duration::from_secs(30);
const TEST_MAX: Duration = Duration::from_secs(180);
/// Largest page of that many devices.
const PAGE_MAX: usize = 15 << 20;

/// A driver with a browser of its own, ended with the value.
struct Browser {
    driver: Child,
    port: u16,
    client: Client,
    /// The browser's profile: fresh, and gone afterwards.
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Whatever the test came to, nothing of it stays: the driver takes its browser along.
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

fn found(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// Says something where it is seen also of a test that passes.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "browser: {text}"));
}

impl Browser {
    /// Starts one; none where there is none.
    async fn start() -> Option<Self> {
        let browser = found(&["chromium", "chromium-browser", "google-chrome"]);
        let (Some(browser), Some(driver)) = (browser, found(&["chromedriver"])) else {
            say("left out, chromium and chromedriver aren't installed");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver = Command::new(driver)
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .env("HOME", profile.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .expect("chromedriver says its port");
        // What it says later is read away, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let data = format!("--user-data-dir={}", profile.path().join("data").display());
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1280,1000",
            &data,
        ];
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": browser, "args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session");
        Some(Self { driver, port, client, _profile: profile })
    }

    /// Runs a test and ends the browser, whatever the test came to.
    async fn run(self, test: impl AsyncFnOnce(&Self)) {
        let outcome = AssertUnwindSafe(tokio::time::timeout(TEST_MAX, test(&self))).catch_unwind().await;
        drop(tokio::time::timeout(WAIT, self.client.clone().close()).await);
        match outcome {
            Ok(done) => done.expect("the browser answers in time"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Opens a file, at an anchor.
    async fn open(&self, file: &Path, anchor: &str) {
        // Another anchor of the same page wouldn't load it again.
        self.client.goto("about:blank").await.expect("a page");
        self.client.goto(&format!("file://{}{anchor}", file.display())).await.expect("a page");
    }

    async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("a script")
    }

    async fn text(&self, css: &str) -> String {
        self.client.find(Locator::Css(css)).await.expect(css).text().await.expect("text")
    }

    async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.expect(css).len()
    }

    async fn click(&self, css: &str) {
        self.client.find(Locator::Css(css)).await.expect(css).click().await.expect("a click");
    }

    async fn hash(&self) -> String {
        self.client.current_url().await.expect("an address").fragment().unwrap_or_default().to_owned()
    }

    /// Everything that the browser complained of since it was asked last: errors of scripts, violations of the policy.
    async fn complaints(&self) -> Vec<Value> {
        let session = self.client.session_id().await.expect("an id").expect("a session");
        let body = r#"{"type":"browser"}"#;
        // The log isn't part of the WebDriver standard, so the client has no call for it.
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver");
        write!(
            stream,
            "POST /session/{session}/se/log HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .expect("a request");
        stream.set_read_timeout(Some(WAIT)).expect("a limit");
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        // The driver keeps the connection: the body ends where its head says so.
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).expect("a head");
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().expect("a number");
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a body");
        let log: Value = serde_json::from_slice(&body).expect("JSON");
        log["value"].as_array().expect("lines").clone()
    }
}

/// A sealed plan of the example, and its page.
fn example() -> (TestEnv, Sealed) {
    let env = TestEnv::example("hybrid-to-entra");
    drop(env.opsole("plan --wave pilot --out pilot.opsole").expect(0));
    drop(env.opsole("show pilot.opsole --format html --out page.html").expect(0));
    let sealed = Sealed::read(&std::fs::read(env.path("pilot.opsole")).expect("a file")).expect("a sealed plan");
    (env, sealed)
}

/// Catches a page that a browser refuses to run, a filter that counts wrong, a device that can't be reached by its
/// link or by the keyboard, and hostile names that become markup in a browser's own reading.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_in_a_browser() {
    if let Some(browser) = Browser::start().await {
        browser.run(page_works).await;
    }
}

async fn page_works(browser: &Browser) {
    let (env, sealed) = example();
    let page = env.path("page.html");
    browser.open(&page, "").await;
    assert_eq!(browser.text("#count").await, "2 devices");
    assert_eq!(browser.count("#rows tr").await, 2);
    assert!(browser.text(".tiles").await.contains("would pass the point of no return"));
    // The summary is seen without scrolling.
    assert_eq!(
        browser.script("return document.querySelector('.tiles').getBoundingClientRect().bottom < innerHeight").await,
        json!(true)
    );

    let search = browser.client.find(Locator::Css("#q")).await.expect("a field");
    search.send_keys("it-002").await.expect("keys");
    assert_eq!(browser.text("#count").await, "1 of 2 devices");
    assert_eq!(browser.text("#rows tr th").await, "LON-IT-002");
    browser.click("#rows tr button").await;
    assert_eq!(browser.hash().await, "device=LON-IT-002");
    assert!(browser.text("#device").await.contains("point of no return"));
    browser.click("#copy").await;
    assert_eq!(browser.hash().await, "device=LON-IT-002");
    let said =
        browser.client.wait().for_element(Locator::Css("#device .tools span:not(:empty)")).await.expect("a word");
    assert!(["Copied.", "The address bar holds the link."].contains(&said.text().await.expect("text").as_str()));
    // Escape closes the device and gives the focus back.
    search.send_keys(&Key::Escape.to_string()).await.expect("keys");
    assert_eq!(browser.script("return document.getElementById('device').hidden").await, json!(true));

    // A link to a device opens it.
    browser.open(&page, "#device=LON-IT-001").await;
    assert!(browser.text("#device h3").await.starts_with("LON-IT-001"));
    assert_eq!(browser.complaints().await, Vec::<Value>::new());

    // The same with names that would be markup, script and template.
    let hostile = "</script><img src=x onerror=\"window.broken=1\">{{7*7}}|`";
    let mut body = sealed.body;
    body.devices[0].name.push_str(hostile);
    body.texts.iter_mut().for_each(|text| text.push_str(hostile));
    body.plan.name.push_str(hostile);
    body.waves[0].name.push_str(hostile);
    let name = body.devices[0].name.clone();
    std::fs::write(&page, html(&Shown::unsealed(&body), Some(&name)).expect("a page")).expect("a file");
    browser.open(&page, "").await;
    assert!(browser.text("#device h3").await.starts_with(&name));
    assert_eq!(browser.count("img").await, 0);
    assert_eq!(browser.script("return window.broken === undefined").await, json!(true));
    assert_eq!(browser.complaints().await, Vec::<Value>::new());
    // Nothing is wider than a small telephone's screen but what scrolls by itself.
    browser.client.set_window_size(500, 900).await.expect("a size");
    let wide = "const body = document.body; body.style.width = '360px'; return document.body.scrollWidth";
    assert!(browser.script(wide).await.as_u64().is_some_and(|width| width <= 361), "{}", browser.script(wide).await);
}

/// Catches a page of a real fleet that grows out of what a browser opens, draws each device, or keeps whoever types
/// waiting.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_devices_are_filtered_at_once() {
    if let Some(browser) = Browser::start().await {
        browser.run(large_page_answers).await;
    }
}

async fn large_page_answers(browser: &Browser) {
    let (env, sealed) = example();
    let mut body = sealed.body;
    let like = body.devices.clone();
    body.devices = (0..DEVICES)
        .map(|n| {
            let device = &like[n % like.len()];
            // Each has texts of its own, as devices of a fleet have ids of their own.
            let mut effects = device.effects.clone();
            for effect in &mut effects {
                let own = format!("{} of device {n}", body.text(effect.1));
                effect.1 = u32::try_from(body.texts.len()).expect("few");
                body.texts.push(own);
            }
            let standing = ["migrate", "blocked"][usize::from(n % 10 == 0)].to_owned();
            DeviceLine {
                name: format!("PC-{n:05}"),
                user: Some(format!("u{n}@contoso.com")),
                standing,
                effects,
                ..device.clone()
            }
        })
        .collect();
    let text = html(&Shown::unsealed(&body), None).expect("a page");
    assert!(text.len() < PAGE_MAX, "{}", text.len());
    let page = env.path("large.html");
    std::fs::write(&page, &text).expect("a file");
    browser.open(&page, "").await;
    assert_eq!(browser.text("#count").await, "10000 devices");
    assert_eq!(browser.count("#rows tr").await, 100);
    let timed = "
        const field = document.getElementById('q');
        const times = [];
        for (const text of ['p', 'pc-0999', 'u77', 'nothing', '', 'pc-', 'contoso 123']) {
            const begin = performance.now();
            field.value = text;
            field.dispatchEvent(new Event('input'));
            document.body.getBoundingClientRect();
            times.push(performance.now() - begin);
        }
        return times;";
    let times: Vec<f64> = serde_json::from_value(browser.script(timed).await).expect("times");
    say(&format!("{} bytes, the filter answers in {times:?} ms", text.len()));
    assert!(times.iter().all(|time| *time < FILTER_MS), "{times:?}");
    browser.click("#filters button[type=reset]").await;
    let search = browser.client.find(Locator::Css("#q")).await.expect("a field");
    search.send_keys("pc-04321").await.expect("keys");
    assert_eq!(browser.text("#count").await, "1 of 10000 devices");
    browser.open(&page, "#device=PC-09998").await;
    assert!(browser.text("#device h3").await.starts_with("PC-09998"));
    assert_eq!(browser.complaints().await, Vec::<Value>::new());
}
