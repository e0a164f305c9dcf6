//! The real transport: HTTP with the session, the catalogue and the TLS of the `openstack` crates.
//!
//! The session logs in, and finds a service's address; the request itself is sent here, so that a failure
//! can be told apart from a lost answer, which the session's own error does not say.

use std::time::Duration;

use async_trait::async_trait;
use osauth::services::{COMPUTE, IMAGE, NETWORK};
use osauth::{ErrorKind, Session};
use reqwest::RequestBuilder;
use tokio::sync::RwLock;
use tokio::time::{Instant, timeout_at};

use super::config::{ConfigError, OpenStackConfig, SessionError};
use super::transport::{Method, Request, Response, Service, Transport, TransportError};

/// A request is answered within this time, login and discovery included, or it failed. The slowest call seen
/// on a healthy cloud, the first create after a start, took 7 s.
const LIMIT: Duration = Duration::from_secs(30);

/// A longer answer is not read to its end: a page of 200 servers is about 1 MB.
const LONGEST_ANSWER: usize = 32 << 20;

/// A cloud over HTTP. It logs in when it is first asked something, so that an engine can start before its
/// cloud does.
pub struct Http {
    config: OpenStackConfig,
    region: Option<String>,
    limit: Duration,
    login: RwLock<Login>,
}

/// The session, and how many there have been: of several requests whose token was refused at the same time,
/// one logs in anew.
#[derive(Default)]
struct Login {
    session: Option<Session>,
    count: u64,
}

impl Http {
    /// A transport to this cloud. Nothing is sent yet.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub fn new(config: OpenStackConfig) -> Result<Self, ConfigError> {
        let region = config.check()?;
        Ok(Self {
            config,
            region,
            limit: LIMIT,
            login: RwLock::default(),
        })
    }

    /// The session; a new one if there is none, or only the one that was `refused`.
    async fn session(&self, refused: Option<u64>) -> Result<(Session, u64), TransportError> {
        if let Login {
            session: Some(session),
            count,
        } = &*self.login.read().await
            && refused != Some(*count)
        {
            return Ok((session.clone(), *count));
        }
        let mut login = self.login.write().await;
        if let Login {
            session: Some(session),
            count,
        } = &*login
            && refused != Some(*count)
        {
            return Ok((session.clone(), *count));
        }
        // A refused token stays in the session that holds it, also through `refresh`: only a new one helps.
        let session = self.config.session().await.map_err(|error| match error {
            SessionError::Config(error) => TransportError::NotSent(error.into()),
            SessionError::Login(error) => before_sending(error),
        })?;
        login.count += 1;
        login.session = Some(session.clone());
        Ok((session, login.count))
    }

    /// One attempt, and which login it used.
    async fn attempt(
        &self,
        request: &Request,
        refused: Option<u64>,
        end: Instant,
    ) -> Result<(Response, u64), TransportError> {
        let (prepared, count) = timeout_at(end, self.prepare(request, refused))
            .await
            .map_err(|late| TransportError::NotSent(late.into()))??;
        let response = timeout_at(end, exchange(prepared))
            .await
            .map_err(|late| TransportError::Lost(late.into()))??;
        Ok((response, count))
    }

    /// All that comes before the request itself: login, address, token.
    async fn prepare(
        &self,
        request: &Request,
        refused: Option<u64>,
    ) -> Result<(RequestBuilder, u64), TransportError> {
        // An address normaliser would drop these, and the request would be about something else.
        if request
            .path
            .iter()
            .any(|part| matches!(part.as_str(), "" | "." | ".."))
        {
            return Err(TransportError::NotSent(
                "the path has an empty or a dot segment".into(),
            ));
        }
        let (session, count) = self.session(refused).await?;
        let address = match request.service {
            Service::Compute => session.get_endpoint(COMPUTE, &request.path).await,
            Service::Network => session.get_endpoint(NETWORK, &request.path).await,
            Service::Image => session.get_endpoint(IMAGE, &request.path).await,
        }
        .map_err(before_sending)?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let client = session.client().inner();
        let mut builder = client.request(method, address).query(&request.query);
        if let Some(version) = request.microversion {
            builder = builder.header("openstack-api-version", format!("compute {version}"));
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let builder = session
            .auth_type()
            .authenticate(client, builder)
            .await
            .map_err(before_sending)?;
        Ok((builder, count))
    }
}

#[async_trait]
impl Transport for Http {
    fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let end = Instant::now() + self.limit;
        let (response, count) = self.attempt(&request, None, end).await?;
        if response.status != 401 {
            return Ok(response);
        }
        let (response, _) = self.attempt(&request, Some(count), end).await?;
        Ok(response)
    }
}

/// What the session says before the request was sent.
fn before_sending(error: osauth::Error) -> TransportError {
    if error.kind() == ErrorKind::AuthenticationFailed {
        TransportError::Login(error.to_string())
    } else {
        TransportError::NotSent(error.into())
    }
}

/// Sends the request and reads the answer.
async fn exchange(request: RequestBuilder) -> Result<Response, TransportError> {
    let mut answer = request.send().await.map_err(|error| {
        // Only a connection that was never made is certainly no request.
        if error.is_connect() || error.is_builder() {
            TransportError::NotSent(error.into())
        } else {
            TransportError::Lost(error.into())
        }
    })?;
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut body = Vec::new();
    while let Some(part) = answer
        .chunk()
        .await
        .map_err(|error| TransportError::Lost(error.into()))?
    {
        if body.len() + part.len() > LONGEST_ANSWER {
            return Err(TransportError::Lost(
                "the answer is longer than 32 MiB".into(),
            ));
        }
        body.extend_from_slice(&part);
    }
    Ok(Response {
        status,
        headers,
        body,
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn config(clouds: &str) -> (tempfile::NamedTempFile, OpenStackConfig) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), clouds).unwrap();
        let clouds = file.path().to_owned();
        (
            file,
            OpenStackConfig {
                clouds,
                cloud: Some("one".to_owned()),
                region: None,
            },
        )
    }

    fn request() -> Request {
        Request::new(Service::Compute, Method::Get, ["servers", "detail"])
    }

    #[tokio::test]
    async fn a_cloud_that_never_answers_is_not_waited_for() {
        // The kernel takes the connection; nobody ever reads from it.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_file, config) = config(&format!(
            "clouds: {{one: {{auth: {{auth_url: 'http://{}/v3', username: a, password: b}}}}}}",
            listener.local_addr().unwrap()
        ));
        let http = Http {
            limit: Duration::from_millis(50),
            ..Http::new(config).unwrap()
        };
        let error = http.send(request()).await.unwrap_err();
        assert!(matches!(error, TransportError::NotSent(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_dot_in_a_path_is_not_sent() {
        let (_file, config) = config("clouds: {one: {auth_type: none}}");
        let request = Request::new(Service::Compute, Method::Delete, ["servers", ".."]);
        let error = Http::new(config).unwrap().send(request).await.unwrap_err();
        assert!(matches!(error, TransportError::NotSent(_)), "{error:?}");
    }
}
