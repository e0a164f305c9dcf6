//! The API server's client, as both engines use it.

use kube::{Client, Config};

/// A client with the pod's own credentials, or those of `KUBECONFIG`.
///
/// # Errors
/// There are none, or they are no good.
pub async fn client() -> Result<Client, ClientError> {
    once(Config::infer().await?)
}

/// No client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There are no credentials.
    #[error("no credentials for the API server: neither a pod's nor KUBECONFIG's")]
    Configuration(#[from] kube::config::InferConfigError),
    /// They are no good.
    #[error("the API server's client cannot be made")]
    Client(#[from] kube::Error),
}

/// Each request is sent once. By itself kube repeats what was answered with 429, 503 or 504, up to fifteen times and with
/// pauses of up to minutes: an eviction that a budget holds back would hold up all others, and an act that was allowed when
/// it was first sent would be done when it is not any more. Who asks repeats, after he has looked again.
fn once(mut config: Config) -> Result<Client, ClientError> {
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use k8s_openapi::api::core::v1::Node;
    use kube::Api;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn what_is_refused_for_now_is_not_sent_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let counts = heard.clone();
        let mut server = JoinSet::new();
        server.spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                while socket.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                    counts.fetch_add(1, Ordering::SeqCst);
                    let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","code":429}"#;
                    let answer = format!(
                        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    socket.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        let nodes: Api<Node> = Api::all(once(Config::new(url.parse().unwrap())).unwrap());
        let refused = nodes.get("node-1").await.unwrap_err();
        assert!(matches!(refused, kube::Error::Api(status) if status.code == 429));
        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }
}
