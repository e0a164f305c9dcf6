//! Which cloud, and as whom: `clouds.yaml` with `secure.yaml` beside it, or the environment, as OpenStack's own clients read
//! them. What would be passed over in silence there, and changes who one is, is refused here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use osauth::identity::{ApplicationCredential, Password, Token};
use osauth::{CloudConfig, ErrorKind, InterfaceType, NoAuth, Session};
use reqwest::{Certificate, Client, Url};
use serde_json::{Map, Value};

/// The cloud's name that stands for the environment, as in OpenStack's own clients.
const FROM_ENVIRONMENT: &str = "envvars";

/// Until then somebody has taken the connection, or nobody will. 10 s: three of TCP's tries.
const CONNECT: Duration = Duration::from_secs(10);

/// Which cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct OpenStackConfig {
    /// The clouds.yaml. A secure.yaml beside it is put over it. Both are read again at every login
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "FILE",
            env = "OS_CLIENT_CONFIG_FILE",
            default_value = "/etc/openstack/clouds.yaml"
        )
    )]
    pub clouds: PathBuf,
    /// The cloud's name in it; `envvars` is what OS_AUTH_URL and the like say [default: envvars, if OS_AUTH_URL is set, else
    /// the only cloud of the file]
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", env = "OS_CLOUD"))]
    pub cloud: Option<String>,
    /// The region, if it is not to be the file's
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NAME", env = "OS_REGION_NAME")
    )]
    pub region: Option<String>,
}

/// Why there can be no session. No error holds a value of a credential.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no `clouds.yaml`.
    #[error("{} is no clouds.yaml: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file does not name this cloud.
    #[error("{} names no cloud {cloud:?}, only {}", path.display(), named(there))]
    NoSuchCloud {
        /// The file.
        path: PathBuf,
        /// The cloud's name.
        cloud: String,
        /// Those that it names.
        there: Vec<String>,
    },
    /// The file names several.
    #[error("which cloud? {} names {}: say one with --cloud or OS_CLOUD", path.display(), named(there))]
    WhichCloud {
        /// The file.
        path: PathBuf,
        /// Those that it names.
        there: Vec<String>,
    },
    /// An entry has what cannot be used.
    #[error("cloud {cloud}: {why}")]
    Unusable {
        /// The cloud's name.
        cloud: String,
        /// Why.
        why: String,
    },
}

fn named(clouds: &[String]) -> String {
    match clouds {
        [] => "none".to_owned(),
        clouds => clouds.join(", "),
    }
}

/// Why a login failed.
pub(super) enum SessionError {
    Config(ConfigError),
    Login(osauth::Error),
}

impl From<osauth::Error> for SessionError {
    fn from(error: osauth::Error) -> Self {
        SessionError::Login(error)
    }
}

impl From<ConfigError> for SessionError {
    fn from(error: ConfigError) -> Self {
        SessionError::Config(error)
    }
}

/// The keys of `auth` that mean something here. Another would be passed over, and somebody else would log in, or the same to
/// another scope.
const AUTH: [&str; 14] = [
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "auth_url",
    "endpoint",
    "password",
    "project_domain_id",
    "project_domain_name",
    "project_id",
    "project_name",
    "token",
    "user_domain_name",
    "user_id",
    "username",
];

/// One cloud, read and checked.
#[derive(Debug)]
struct Entry {
    auth: Map<String, Value>,
    auth_type: String,
    region: Option<String>,
    interface: Option<InterfaceType>,
    /// By service type, as `compute`.
    endpoints: BTreeMap<String, Url>,
    ca: Option<PathBuf>,
    insecure: bool,
}

impl OpenStackConfig {
    /// Can it be used? The region that it names, if it does.
    pub(super) fn check(&self) -> Result<Option<String>, ConfigError> {
        let entry = self.read()?;
        if entry.insecure {
            tracing::warn!(
                "the cloud's certificate is not checked (insecure, or verify: false): whoever is between us and it can take the credentials"
            );
        }
        entry.client()?;
        Ok(entry.region)
    }

    /// Logs in.
    pub(super) async fn session(&self) -> Result<Session, SessionError> {
        let entry = self.read()?;
        let client = entry.client()?;
        let config = entry.credentials();
        let mut session = match entry.auth_type.as_str() {
            "password" => Session::new_with_client(client, Password::try_from(config)?).await?,
            "v3token" => Session::new_with_client(client, Token::try_from(config)?).await?,
            "none" => Session::new_with_client(client, NoAuth::try_from(config)?).await?,
            _ => Session::new_with_client(client, entry.application_credential()?).await?,
        };
        if let Some(region) = entry.region {
            session.set_region(region);
        }
        if let Some(interface) = entry.interface {
            session.set_endpoint_interface(interface);
        }
        session.endpoint_overrides_mut().extend(entry.endpoints);
        Ok(session)
    }

    fn read(&self) -> Result<Entry, ConfigError> {
        self.read_with(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read_with(&self, env: impl Fn(&str) -> Option<String>) -> Result<Entry, ConfigError> {
        let cloud = match &self.cloud {
            Some(cloud) => Some(cloud.clone()),
            None => env("OS_AUTH_URL").map(|_| FROM_ENVIRONMENT.to_owned()),
        };
        let (cloud, mut entry) = match cloud {
            Some(cloud) if cloud == FROM_ENVIRONMENT => (cloud, of_environment(env)),
            cloud => self.of_files(cloud)?,
        };
        if let Some(region) = &self.region {
            entry.insert("region_name".to_owned(), region.clone().into());
        }
        Entry::of(entry).map_err(|why| ConfigError::Unusable { cloud, why })
    }

    fn of_files(&self, cloud: Option<String>) -> Result<(String, Map<String, Value>), ConfigError> {
        let mut clouds = clouds(&self.clouds)?;
        let cloud = match cloud {
            Some(cloud) => cloud,
            None => match clouds.keys().collect::<Vec<_>>().as_slice() {
                [only] => (*only).clone(),
                several => {
                    return Err(ConfigError::WhichCloud {
                        path: self.clouds.clone(),
                        there: several.iter().map(|name| (*name).clone()).collect(),
                    });
                }
            },
        };
        let mut entry = match clouds.remove(&cloud) {
            Some(Value::Object(entry)) => entry,
            Some(_) => {
                let why = "its entry is no table".to_owned();
                return Err(ConfigError::Unusable { cloud, why });
            }
            None => {
                return Err(ConfigError::NoSuchCloud {
                    path: self.clouds.clone(),
                    cloud,
                    there: clouds.into_iter().map(|(name, _)| name).collect(),
                });
            }
        };
        let secure = self.clouds.with_file_name("secure.yaml");
        if secure.exists()
            && let Some(Value::Object(over)) = self::clouds(&secure)?.remove(&cloud)
        {
            put_over(&mut entry, over);
        }
        Ok((cloud, entry))
    }
}

/// The clouds of a file.
fn clouds(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let malformed = |why: String| ConfigError::Malformed {
        path: path.to_owned(),
        why,
    };
    // Without the lines around it: there are passwords in them.
    let file: Value = serde_saphyr::from_str(&text)
        .map_err(|error| malformed(error.without_snippet().to_string()))?;
    match file.get("clouds") {
        Some(Value::Object(clouds)) => Ok(clouds.clone()),
        Some(_) | None => Err(malformed("it has no `clouds`".to_owned())),
    }
}

/// `over` wins, table by table.
fn put_over(entry: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (entry.get_mut(&key), value) {
            (Some(Value::Object(entry)), Value::Object(over)) => put_over(entry, over),
            (_, value) => drop(entry.insert(key, value)),
        }
    }
}

/// What the variables say that OpenStack's clients read.
fn of_environment(env: impl Fn(&str) -> Option<String>) -> Map<String, Value> {
    let of = |key: &str, name: &str| Some((key.to_owned(), Value::from(env(name)?)));
    let auth = AUTH.iter().chain(&["user_domain_id"]);
    let auth = auth.filter_map(|key| of(key, &format!("OS_{}", key.to_uppercase())));
    let mut entry: Map<String, Value> = [
        of("auth_type", "OS_AUTH_TYPE"),
        of("region_name", "OS_REGION_NAME"),
        of("interface", "OS_INTERFACE"),
        of("cacert", "OS_CACERT"),
        of("insecure", "OS_INSECURE"),
    ]
    .into_iter()
    .flatten()
    .collect();
    entry.insert("auth".to_owned(), Value::Object(auth.collect()));
    entry
}

impl Entry {
    fn of(mut entry: Map<String, Value>) -> Result<Self, String> {
        let mut auth = match entry.remove("auth") {
            Some(Value::Object(auth)) => auth,
            None => Map::new(),
            Some(_) => return Err("`auth` is no table".to_owned()),
        };
        // Of one domain the id and the name are the same in every cloud.
        if auth.get("user_domain_id") == Some(&Value::from("default")) {
            auth.remove("user_domain_id");
            auth.insert("user_domain_name".to_owned(), "Default".into());
        }
        for (key, value) in &auth {
            if key == "user_domain_id" {
                return Err("auth.user_domain_id cannot be used: give user_domain_name".to_owned());
            }
            if !AUTH.contains(&key.as_str()) {
                return Err(format!(
                    "auth.{key} cannot be used; known are {}",
                    AUTH.join(", ")
                ));
            }
            if !value.is_string() {
                // its value is not told: it may be the password
                return Err(format!("auth.{key} is no text: put it in quotes"));
            }
        }
        let mut text = |key: &str| match entry.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{key} is no text")),
        };
        let auth_type = auth_type(text("auth_type")?, &auth)?;
        let interface = text("interface")?.map(|kind| {
            InterfaceType::from_str(&kind)
                .map_err(|_| format!("interface {kind:?} is none: public, internal or admin"))
        });
        let (region, ca) = (text("region_name")?, text("cacert")?.map(PathBuf::from));
        let insecure = is_insecure(&entry)?;
        let mut endpoints = BTreeMap::new();
        for (key, value) in &entry {
            let Some(service) = key.strip_suffix("_endpoint_override") else {
                continue;
            };
            let url = value.as_str().and_then(|url| Url::parse(url).ok());
            let url = url.ok_or_else(|| format!("{key} is no address"))?;
            endpoints.insert(service.replace('_', "-"), url);
        }
        Ok(Self {
            auth,
            auth_type,
            region,
            interface: interface.transpose()?,
            endpoints,
            ca,
            insecure,
        })
    }

    fn credentials(&self) -> CloudConfig {
        let entry = serde_json::json!({"auth": self.auth, "auth_type": self.auth_type});
        // all of them were seen to be text
        serde_json::from_value(entry).unwrap_or_default()
    }

    /// By its id, or by its name and its user's id.
    fn application_credential(&self) -> Result<ApplicationCredential, osauth::Error> {
        let text = |key: &str| match self.auth.get(key).and_then(Value::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => {
                let why = format!("an application credential needs auth.{key}");
                Err(osauth::Error::new(ErrorKind::InvalidConfig, why))
            }
        };
        let (url, secret) = (text("auth_url")?, text("application_credential_secret")?);
        match text("application_credential_name") {
            Ok(name) if !self.auth.contains_key("application_credential_id") => {
                ApplicationCredential::with_user_id(url, name, secret, text("user_id")?)
            }
            _ => ApplicationCredential::new(url, text("application_credential_id")?, secret),
        }
    }

    fn client(&self) -> Result<Client, ConfigError> {
        let mut builder = Client::builder().connect_timeout(CONNECT);
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).map_err(|source| ConfigError::Unreadable {
                path: path.clone(),
                source,
            })?;
            let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(ConfigError::Malformed {
                    path: path.clone(),
                    why: "there is no certificate in it (cacert is a file of PEM)".to_owned(),
                });
            }
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if self.insecure {
            builder = builder.danger_accept_invalid_certs(true);
        }
        builder.build().map_err(|error| ConfigError::Unusable {
            cloud: String::new(),
            why: error.to_string(),
        })
    }
}

/// The kinds of login. An application credential's is often left out, and is clear from what is given.
fn auth_type(told: Option<String>, auth: &Map<String, Value>) -> Result<String, String> {
    let is_credential = auth
        .keys()
        .any(|key| key.starts_with("application_credential_"));
    let Some(told) = told else {
        return Ok(match () {
            () if is_credential => "v3applicationcredential",
            () if auth.contains_key("token") => "v3token",
            () => "password",
        }
        .to_owned());
    };
    let known = match told.as_str() {
        "password" | "v3password" => "password",
        "token" | "v3token" => "v3token",
        "v3applicationcredential" => "v3applicationcredential",
        "none" => "none",
        other => {
            return Err(format!(
                "auth_type {other:?} cannot be used: v3applicationcredential, password, v3token or none"
            ));
        }
    };
    Ok(known.to_owned())
}

/// Only a clear word takes the check of the cloud's certificate away.
fn is_insecure(entry: &Map<String, Value>) -> Result<bool, String> {
    let is = |key: &str| match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(is)) => Ok(Some(*is)),
        Some(Value::String(text)) if ["true", "1"].contains(&text.to_lowercase().as_str()) => {
            Ok(Some(true))
        }
        Some(Value::String(text)) if ["false", "0"].contains(&text.to_lowercase().as_str()) => {
            Ok(Some(false))
        }
        Some(_) => Err(format!("{key} is true or false")),
    };
    match (is("verify")?, is("insecure")?) {
        (Some(verify), Some(insecure)) if verify == insecure => {
            Err("verify and insecure contradict each other".to_owned())
        }
        (verify, insecure) => Ok(verify == Some(false) || insecure == Some(true)),
    }
}

#[cfg(test)]
mod tests;
