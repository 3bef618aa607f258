//! Names of images, and credentials for registries from Docker's `config.json`: plain ones
//! (`auths`), and those that a helper program keeps (`credHelpers`, `credsStore`).

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bollard::BollardRequest;
use bollard::auth::DockerCredentials;
use http::HeaderValue;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Where images without a registry in their name come from, and the name that `config.json` has
/// for it.
const HUB: &str = "docker.io";
const HUB_CONFIG_KEY: &str = "https://index.docker.io/v1/";
/// How long a helper may take: some ask a server.
const HELPER_MAX: Duration = Duration::from_secs(30);
/// The user name by which a helper says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// An image's name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageName {
    /// The registry's host, with port.
    pub(super) registry: String,
    /// What is asked of Docker: registry and repository as they were written.
    pub(super) repository: String,
    /// The tag or digest; `latest` when neither was written, for Docker would pull every tag.
    pub(super) tag: String,
}

impl ImageName {
    pub(super) fn parse(image: &str) -> Self {
        let (name, digest) = match image.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (image, None),
        };
        // A colon after the last slash begins a tag; one before it, a port.
        let after_slash = name.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match name[after_slash..].find(':') {
            Some(at) => (
                &name[..after_slash + at],
                Some(&name[after_slash + at + 1..]),
            ),
            None => (name, None),
        };
        let first = repository.split('/').next().unwrap_or_default();
        let is_host =
            repository.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        Self {
            registry: if is_host { first } else { HUB }.to_owned(),
            repository: repository.to_owned(),
            tag: digest.or(tag).unwrap_or("latest").to_owned(),
        }
    }

    /// The name with its tag, by which the image is looked up.
    pub(super) fn full(&self) -> String {
        let sign = if self.tag.contains(':') { '@' } else { ':' };
        format!("{}{sign}{}", self.repository, self.tag)
    }
}

/// Docker's `config.json`, as far as it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper prints.
#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// The credentials for a registry; `None` when there are none, which is how public images are
/// pulled.
///
/// # Errors
/// What stood in the way of reading credentials that there should be.
pub(super) async fn credentials(
    config: Option<&Path>,
    registry: &str,
) -> Result<Option<DockerCredentials>, String> {
    let Some(path) = config else { return Ok(None) };
    let text = match tokio::fs::read(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let file: ConfigFile = serde_json::from_slice(&text)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let key = config_key(registry);
    let helper = file
        .cred_helpers
        .get(registry)
        .or(file.creds_store.as_ref());
    if let Some(helper) = helper
        && let Some(found) = ask_helper(helper, key).await?
    {
        return Ok(Some(found));
    }
    let wanted = host_of(key);
    let auth = file.auths.get(key).or_else(|| {
        let same = |(name, _): &(&String, &Auth)| host_of(name) == wanted;
        file.auths.iter().find(same).map(|(_, auth)| auth)
    });
    auth.map_or(Ok(None), |auth| plain(auth, key))
}

fn config_key(registry: &str) -> &str {
    if registry == HUB {
        HUB_CONFIG_KEY
    } else {
        registry
    }
}

/// The host of a key of `auths`, which may be written as an address.
fn host_of(key: &str) -> &str {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    bare.unwrap_or(key).split('/').next().unwrap_or_default()
}

fn plain(auth: &Auth, server: &str) -> Result<Option<DockerCredentials>, String> {
    let mut credentials = DockerCredentials {
        username: auth.username.clone(),
        password: auth.password.clone(),
        identitytoken: auth.identitytoken.clone().filter(|token| !token.is_empty()),
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    };
    if let Some(encoded) = auth.auth.as_deref().filter(|encoded| !encoded.is_empty()) {
        let broken = || format!("the credentials for {server} are not base64 of user:password");
        let decoded = STANDARD.decode(encoded.trim()).map_err(|_| broken())?;
        let decoded = String::from_utf8(decoded).map_err(|_| broken())?;
        let (user, password) = decoded.split_once(':').ok_or_else(broken)?;
        credentials.username = Some(user.to_owned());
        // Docker itself pads some with zero bytes.
        credentials.password = Some(password.trim_end_matches('\0').to_owned());
    }
    let any = credentials.username.is_some() || credentials.identitytoken.is_some();
    Ok(any.then_some(credentials))
}

/// Runs `docker-credential-<helper> get`. A helper that knows nothing of the server fails with
/// a message that says so, and the pull goes on without credentials.
async fn ask_helper(helper: &str, server: &str) -> Result<Option<DockerCredentials>, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if helper.is_empty() || !helper.chars().all(plain) {
        return Err(format!("{helper:?} is no name of a credential helper"));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |what: String| format!("{program}: {what}");
    let run = async {
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(server.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(HELPER_MAX, run).await {
        Ok(output) => output.map_err(|error| failed(error.to_string()))?,
        Err(_) => return Err(failed("did not answer in time".to_owned())),
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed(text.trim().to_owned()));
    }
    // The answer holds a secret, so what is wrong with it is not repeated.
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("answered something that is not its format".to_owned()))?;
    let is_token = answer.username == TOKEN_USER;
    let (username, password, token) = match is_token {
        true => (None, None, Some(answer.secret)),
        false => (Some(answer.username), Some(answer.secret), None),
    };
    Ok(Some(DockerCredentials {
        username,
        password,
        identitytoken: token,
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    }))
}

/// Docker decodes the credentials header with the alphabet for URLs, and takes one that it cannot
/// decode for none; the client library encodes it with the other alphabet.
pub(super) fn url_safe_credentials(mut request: BollardRequest) -> BollardRequest {
    if let Some(value) = request.headers_mut().get_mut("X-Registry-Auth") {
        let swap = |byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        let swapped: Vec<u8> = value.as_bytes().iter().map(swap).collect();
        if let Ok(mut swapped) = HeaderValue::from_bytes(&swapped) {
            swapped.set_sensitive(true);
            *value = swapped;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(image: &str) -> (String, String, String) {
        let name = ImageName::parse(image);
        (name.registry.clone(), name.repository.clone(), name.full())
    }

    #[test]
    fn names_of_images_are_taken_apart_as_docker_does() {
        let parts = |registry: &str, repository: &str, full: &str| {
            (registry.to_owned(), repository.to_owned(), full.to_owned())
        };
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(name("nginx"), parts("docker.io", "nginx", "nginx:latest"));
        assert_eq!(name("a/b:1"), parts("docker.io", "a/b", "a/b:1"));
        assert_eq!(
            name("localhost:5000/b"),
            parts(
                "localhost:5000",
                "localhost:5000/b",
                "localhost:5000/b:latest"
            )
        );
        assert_eq!(
            name("r.example/x/y:2"),
            parts("r.example", "r.example/x/y", "r.example/x/y:2")
        );
        let pinned = format!("r.example/x:2@{digest}");
        assert_eq!(
            name(&pinned),
            parts("r.example", "r.example/x", &format!("r.example/x@{digest}"))
        );
    }

    async fn from_file(text: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        credentials(Some(&path), registry).await
    }

    #[tokio::test]
    async fn plain_credentials_are_found_by_the_registrys_host() {
        let auth = STANDARD.encode("me:p:w");
        for key in [
            "r.example:5000",
            "https://r.example:5000",
            "http://r.example:5000/v2/",
        ] {
            let text = format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#);
            let found = from_file(&text, "r.example:5000").await.unwrap().unwrap();
            assert_eq!(found.username.as_deref(), Some("me"), "{key}");
            assert_eq!(found.password.as_deref(), Some("p:w"), "{key}");
        }
        let text = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{auth}"}}}}}}"#);
        assert!(from_file(&text, "docker.io").await.unwrap().is_some());
        assert_eq!(from_file(&text, "r.example").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_broken_file_is_an_error_and_a_missing_one_is_not() {
        assert!(from_file("{", "r.example").await.is_err());
        assert!(
            from_file(r#"{"auths":{"r.example":{"auth":"%%"}}}"#, "r.example")
                .await
                .is_err()
        );
        let missing = Path::new("/nonexistent/config.json");
        assert_eq!(credentials(Some(missing), "r.example").await, Ok(None));
    }
}
