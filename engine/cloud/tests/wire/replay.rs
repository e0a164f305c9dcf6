//! A transport that plays a script: each request must be the next one, and gets its answer.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::openstack::transport::{
    Method, Request, Response, Service, Transport, TransportError,
};

/// One line of the script: `GET compute/servers/ID`, and what comes back.
pub(crate) struct Scene {
    expected: &'static str,
    answer: Result<Response, TransportError>,
}

/// An answer with a body that is taken from `fixtures/NAME.json`.
pub(crate) fn scene(expected: &'static str, status: u16, fixture: &str) -> Scene {
    text(expected, status, &fixture_text(fixture))
}

/// An answer with this body.
pub(crate) fn text(expected: &'static str, status: u16, body: &str) -> Scene {
    let answer = Response {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    };
    Scene {
        expected,
        answer: Ok(answer),
    }
}

/// No answer.
pub(crate) fn silence(expected: &'static str, error: TransportError) -> Scene {
    Scene {
        expected,
        answer: Err(error),
    }
}

impl Scene {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok(response) = &mut self.answer {
            response.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

pub(crate) fn fixture_text(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read_to_string(folder.join(name).with_extension("json")).unwrap()
}

/// What was asked, for the tests that look at it.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<Request>>>);

impl Asked {
    pub(crate) fn at(&self, index: usize) -> Request {
        self.0.lock().unwrap()[index].clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

struct Replay {
    script: Mutex<VecDeque<Scene>>,
    asked: Asked,
}

/// A cloud that plays this script.
pub(crate) fn cloud(script: impl IntoIterator<Item = Scene>) -> (OpenStack, Asked) {
    let asked = Asked::default();
    let replay = Replay {
        script: Mutex::new(script.into_iter().collect()),
        asked: asked.clone(),
    };
    (OpenStack::over(replay), asked)
}

#[async_trait]
impl Transport for Replay {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let scene = self
            .script
            .lock()
            .unwrap()
            .pop_front()
            .expect("the script has ended");
        assert_eq!(line(&request), scene.expected);
        self.asked.0.lock().unwrap().push(request);
        scene.answer
    }
}

fn line(request: &Request) -> String {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let service = match request.service {
        Service::Compute => "compute",
        Service::Network => "network",
        Service::Image => "image",
    };
    format!("{method} {service}/{}", request.path.join("/"))
}
