//! A conversation with an API server, on the wire, and the record of it.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::Others;

/// No answer takes longer.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Talk {
    client: Client,
    oneself: Client,
    others: Rc<dyn Others>,
    pub(crate) namespace: String,
    lines: Vec<String>,
}

impl Talk {
    pub(super) fn new(client: Client, others: Rc<dyn Others>, namespace: &str) -> Self {
        Self {
            oneself: client.clone(),
            client,
            others,
            namespace: namespace.to_owned(),
            lines: Vec::new(),
        }
    }

    /// Makes the namespace, in which pods can be made.
    pub(super) async fn prepare(&self) -> Result<()> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let (code, answer) = self
            .send("POST", "/api/v1/namespaces", Some(("json", &namespace)))
            .await?;
        ensure!(code == 201, "{answer}");
        // Real pods need an account, which a controller makes. A server that knows no accounts needs none.
        let account = format!(
            "/api/v1/namespaces/{}/serviceaccounts/default",
            self.namespace
        );
        let known = self.send("GET", "/api/v1/serviceaccounts", None).await?.0 != 404;
        while known && self.send("GET", &account, None).await?.0 == 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(super) fn record(&self) -> String {
        self.lines.join("\n")
    }

    /// From now on somebody else asks, who comes with this token.
    pub(crate) async fn as_token(&mut self, who: &str, token: &str) -> Result<()> {
        self.client = self.others.with_token(token).await?;
        self.lines.push(format!("with {who}:"));
        Ok(())
    }

    /// From now on a ServiceAccount asks, from a pod on a node of this name and UID.
    pub(crate) async fn as_account(
        &mut self,
        account: [&str; 2],
        node: Option<[&str; 2]>,
    ) -> Result<()> {
        self.client = self.others.account(account, node).await?;
        let place = node.map_or("nowhere", |[name, _]| name);
        self.lines.push(format!("{} on {place}:", account[1]));
        Ok(())
    }

    /// From now on the suite itself asks again.
    pub(crate) fn as_oneself(&mut self) {
        self.client = self.oneself.clone();
        self.lines.push("as oneself:".to_owned());
    }

    /// Sends without a word in the record.
    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<(u16, Value)> {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some((form, _)) = body {
            request = request.header("content-type", format!("application/{form}"));
        }
        let bytes = body.map_or(Vec::new(), |(_, body)| body.to_string().into_bytes());
        let response = self.client.send(request.body(Body::from(bytes))?);
        let response = tokio::time::timeout(LONG, response)
            .await
            .with_context(|| path.to_owned())??;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        let answer = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Ok((code, answer))
    }

    /// The same, where what comes of it is not to be compared.
    pub(crate) async fn quietly(
        &self,
        method: &str,
        path: &str,
        patch: &Value,
    ) -> Result<(u16, Value)> {
        let body = (!patch.is_null()).then_some(("merge-patch+json", patch));
        self.send(method, path, body).await
    }

    fn path(&self, path: &str) -> String {
        path.replace("{ns}", &self.namespace)
    }

    /// Asks, and writes down what it was answered.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<(&str, Value)>,
    ) -> Result<Value> {
        let own = self.path(path);
        let sent = body.as_ref().map(|(form, body)| (*form, body));
        let (code, answer) = self.send(method, &own, sent).await?;
        let reason = match answer["kind"].as_str() {
            Some("Status") => {
                let reason = answer["reason"].as_str().or(answer["status"].as_str());
                format!(" {}", reason.unwrap_or_default())
            }
            Some(kind) => format!(" {kind}"),
            None => String::new(),
        };
        self.lines.push(format!("{method} {path} → {code}{reason}"));
        Ok(answer)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        self.ask("GET", path, None).await
    }

    /// A page of a list, whose token differs from run to run.
    pub(crate) async fn page(&mut self, path: &str) -> Result<Value> {
        let (code, answer) = self.send("GET", path, None).await?;
        self.lines.push(format!("GET a page → {code}"));
        Ok(answer)
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Result<Value> {
        self.ask("POST", path, Some(("json", body))).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Value) -> Result<Value> {
        self.ask("PUT", path, Some(("json", body))).await
    }

    pub(crate) async fn merge(&mut self, path: &str, body: Value) -> Result<Value> {
        self.ask("PATCH", path, Some(("merge-patch+json", body)))
            .await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Result<Value> {
        self.ask("DELETE", path, None).await
    }

    /// Writes down what some fields of an answer are, by their pointers.
    pub(crate) fn show(&mut self, answer: &Value, fields: &[&str]) {
        for field in fields {
            let is = answer.pointer(field).unwrap_or(&Value::Null);
            self.lines.push(format!("    {field}: {is}"));
        }
    }

    /// Writes down whether a field is a text, for those that differ from run to run.
    pub(crate) fn show_whether(&mut self, what: &str, is: bool) {
        self.lines
            .push(format!("    {what}: {}", if is { "yes" } else { "no" }));
    }

    /// Posts again and again what is refused as soon as what refuses it is in force; without a word in the record.
    pub(crate) async fn until_refused(&self, path: &str, body: &Value) -> Result<()> {
        let path = format!("{}?dryRun=All", self.path(path));
        for _ in 0..3000 {
            if self.send("POST", &path, Some(("json", body))).await?.0 >= 400 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{path} was never refused")
    }

    /// Asks again and again, without a word in the record.
    pub(crate) async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
        let path = self.path(path);
        for _ in 0..3000 {
            if is_so(&self.send("GET", &path, None).await?.1) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{path} never became so")
    }

    /// Begins a watch.
    pub(crate) async fn watch(&mut self, path: &str) -> Result<Watch> {
        let own = self.path(path);
        let request = http::Request::get(own).body(Body::empty())?;
        let response = tokio::time::timeout(LONG, self.client.send(request)).await??;
        let code = response.status().as_u16();
        let shown = path.split("resourceVersion=").next().unwrap_or_default();
        self.lines.push(format!("WATCH {shown} → {code}"));
        Ok(Watch {
            body: response.into_body(),
            text: Vec::new(),
        })
    }

    /// Hears the next events of a watch, and writes them down: bookmarks only if they say something else than that time
    /// passed.
    pub(crate) async fn hear(&mut self, watch: &mut Watch, count: usize) -> Result<Vec<Value>> {
        let mut events = Vec::new();
        while events.len() < count {
            let event = watch.next().await?;
            let (what, object) = (&event["type"], &event["object"]);
            let ends_initial =
                object["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true";
            if what == "BOOKMARK" && !ends_initial {
                continue;
            }
            let name = object["metadata"]["name"].as_str().unwrap_or("-");
            let data = &object["data"]["n"];
            let what = what.as_str().unwrap_or_default();
            self.lines.push(format!("    {what} {name} {data}"));
            events.push(event);
        }
        Ok(events)
    }
}

/// The events of a watch, as they come.
pub(crate) struct Watch {
    body: Body,
    text: Vec<u8>,
}

impl Watch {
    async fn next(&mut self) -> Result<Value> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Ok(serde_json::from_slice(&line)?);
            }
            let frame = tokio::time::timeout(LONG, self.body.frame()).await?;
            let frame = frame.context("the watch ended")??;
            self.text.extend(frame.into_data().unwrap_or_default());
        }
    }
}
