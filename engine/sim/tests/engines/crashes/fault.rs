//! What comes between the controller and the cloud, once.

use std::time::Duration;

use rectifier_cloud::openstack::transport::{Request, Response, Transport, TransportError};
use rectifier_sim::openstack::World;
use tokio::time::sleep;

/// What befalls one request to the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never arrives.
    NotSent,
    /// It is carried out, and its answer lost.
    AnswerLost,
    /// It is carried out, and nobody has waited for its answer so long.
    AnswerLate,
    /// It is carried out twice; the second answer is heard.
    Doubled,
    /// The gateway before the service gives up, but the service carries it out.
    GatewayTimeout,
    /// The token is refused, also after a new login.
    Unauthorized,
    /// Too many requests.
    RateLimited,
    /// The service is not there.
    ServiceUnavailable,
    /// Somebody else answers that there is no such page.
    StrangersNotFound,
    /// Somebody else answers that all is well.
    StrangersOk,
}

/// The engine's own limit for one request.
const LIMIT: Duration = Duration::from_secs(30);

impl Fault {
    pub(crate) const ALL: [Fault; 10] = [
        Fault::NotSent,
        Fault::AnswerLost,
        Fault::AnswerLate,
        Fault::Doubled,
        Fault::GatewayTimeout,
        Fault::Unauthorized,
        Fault::RateLimited,
        Fault::ServiceUnavailable,
        Fault::StrangersNotFound,
        Fault::StrangersOk,
    ];

    pub(crate) async fn befalls(
        self,
        cloud: &World,
        request: Request,
    ) -> Result<Response, TransportError> {
        let lost = || TransportError::Lost("connection reset".into());
        match self {
            Fault::NotSent => Err(TransportError::NotSent("connection refused".into())),
            Fault::AnswerLost => {
                cloud.send(request).await?;
                Err(lost())
            }
            Fault::AnswerLate => {
                cloud.send(request).await?;
                sleep(LIMIT).await;
                Err(lost())
            }
            Fault::Doubled => {
                cloud.send(request.clone()).await?;
                cloud.send(request).await
            }
            Fault::GatewayTimeout => {
                cloud.send(request).await?;
                Ok(page(504, "Gateway Time-out"))
            }
            Fault::Unauthorized => Ok(page(401, "Unauthorized")),
            Fault::RateLimited => {
                let mut answer = page(429, "Too Many Requests");
                let after = ("retry-after".to_owned(), "20".to_owned());
                answer.headers.push(after);
                Ok(answer)
            }
            Fault::ServiceUnavailable => Ok(page(503, "Service Unavailable")),
            Fault::StrangersNotFound => Ok(page(404, "Not Found")),
            Fault::StrangersOk => Ok(page(200, "It works!")),
        }
    }
}

fn page(status: u16, words: &str) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: format!("<html><h1>{words}</h1></html>").into_bytes(),
    }
}
