//! The page, in a browser without a screen: it shows, it stays fresh, and its buttons break things.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use super::{Running, demo, policies, program};

/// A slow machine's patience.
const WITHIN: Duration = Duration::from_secs(90);

/// The first line of its standard output that has `words` in it. What it says later is read, too, and let go.
fn first_line(of: &mut Running, words: &'static str) -> Result<String> {
    let output = of.0.stdout.take().context("no standard output")?;
    let (found, line) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line.contains(words) {
                drop(found.send(line));
            }
        }
    });
    line.recv_timeout(WITHIN)
        .with_context(|| format!("it never said {words}"))
}

fn driver() -> Result<(Running, String)> {
    let mut driver = Running(
        Command::new(program("chromedriver")?)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let line = first_line(&mut driver, "started successfully on port")?;
    let port: String = line.chars().filter(char::is_ascii_digit).collect();
    Ok((driver, format!("http://127.0.0.1:{port}")))
}

async fn browser(driver: &str) -> Result<Client> {
    let options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]});
    let capabilities = Capabilities::from_iter([
        ("goog:chromeOptions".to_owned(), options),
        ("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"})),
    ]);
    let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
    Ok(builder.capabilities(capabilities).connect(driver).await?)
}

/// Clicks on what is there; what was drawn anew between finding and clicking is looked for again.
async fn clicks(page: &Client, selector: &str) -> Result<()> {
    for _ in 0..50 {
        let found = page.find(Locator::Css(selector)).await;
        match found {
            Ok(element) if element.click().await.is_ok() => return Ok(()),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    anyhow::bail!("{selector} cannot be clicked on")
}

/// What the page says that time it is.
async fn time(page: &Client) -> Result<serde_json::Value> {
    let time = "return document.querySelector('header time').textContent";
    Ok(page.execute(time, Vec::new()).await?)
}

async fn waits_for(page: &Client, selector: &str) -> Result<()> {
    let found = page
        .wait()
        .at_most(WITHIN)
        .for_element(Locator::Css(selector))
        .await;
    found
        .map(drop)
        .with_context(|| format!("waiting for {selector}"))
}

#[tokio::test]
async fn the_page_shows_the_cluster_and_breaks_it() -> Result<()> {
    let policies = policies()?;
    let arguments = [
        "--plain",
        "--stay",
        "--pace=60",
        "--listen=127.0.0.1:0",
        "healed",
    ];
    let mut demo = Running(demo(&policies, &arguments).spawn()?);
    let line = first_line(&mut demo, "http://")?;
    let address = line
        .split_once("http://")
        .context("an address")?
        .1
        .to_owned();
    let (_driver, at) = driver()?;
    let page = browser(&at).await?;
    let result = used(&page, &format!("http://{address}")).await;
    page.close().await?;
    result
}

async fn used(page: &Client, address: &str) -> Result<()> {
    page.goto(address).await?;
    waits_for(page, "details.node").await?;
    let nodes = page.find_all(Locator::Css("details.node")).await?;
    ensure!(nodes.len() == 9, "{} nodes are shown", nodes.len());
    let zones = page.find_all(Locator::Css(".zone")).await?;
    ensure!(zones.len() == 3, "{} zones are shown", zones.len());

    // A node is opened, stays open while the page is drawn anew, and its button breaks it.
    clicks(page, "#node-worker-2 summary").await?;
    // The page is drawn anew meanwhile.
    let before = time(page).await?;
    while time(page).await? == before {}
    clicks(page, "#node-worker-2[open] button[value='break-for-good']").await?;
    waits_for(page, ".story li.person").await?;
    waits_for(page, "#node-worker-2.repairing").await?;
    waits_for(page, ".repair.open .ladder li").await?;
    // And it is replaced, while one looks.
    waits_for(page, "[id^='node-worker-2-r'].well").await?;
    waits_for(page, ".repair.over").await?;
    let left = page.find_all(Locator::Css("#node-worker-2")).await?;
    ensure!(left.is_empty(), "the sick node is still shown");

    // Its own policy of contents lets its style sheet through.
    let colour = "return getComputedStyle(document.querySelector('.node.well')).backgroundColor";
    let colour = page.execute(colour, Vec::new()).await?;
    ensure!(colour == "rgb(46, 125, 50)", "{colour}");
    Ok(())
}
