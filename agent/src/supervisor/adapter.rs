//! How an engine of some kind is started and asked. One file of the supervisor knows the kinds; the rest does not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use homeostat_protocol::Engine;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A kind of engine.
pub(crate) trait Adapter: Send + Sync {
    /// Its command line, for an artifact in `artifact`; `None` when somebody else runs it.
    fn command(&self, artifact: &Path) -> Option<Vec<OsString>>;
    /// Where it listens, from what it has written so far; an engine of somebody else listens always.
    fn base_url(&self, stdout: &Path) -> Option<String>;
    /// What it calls its model; `None` when it must be asked.
    fn model(&self) -> Option<String>;
    /// Changes whenever a running engine no longer is what is wanted.
    fn config_hash(&self) -> String;
}

/// The adapter for `engine`.
///
/// # Errors
/// A sentence that names the field, its value and the remedy.
pub(crate) fn of(engine: &Engine, program: &Path) -> Result<Box<dyn Adapter>, String> {
    match engine.adapter.as_str() {
        "homeostat" | "embedded" => Ok(Box::new(Embedded {
            program: program.to_path_buf(),
            model: engine.version.clone(),
            artifact_digest: engine.artifact_digest.clone(),
            arguments: engine.arguments.clone(),
        })),
        "external" => {
            let url = engine.url.trim_end_matches('/');
            let url = url.strip_suffix("/v1").unwrap_or(url);
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(format!(
                    "the external engine's url {:?} is no http or https address: correct it",
                    engine.url
                ));
            }
            let named = engine.arguments.iter().skip_while(|argument| *argument != "--model-name").nth(1);
            Ok(Box::new(External { url: url.to_string(), model: named.cloned() }))
        }
        other => {
            Err(format!("this agent has no engine {other:?}: use \"homeostat\" or \"external\", or update the agent"))
        }
    }
}

/// Our own engine, a child process.
pub(crate) struct Embedded {
    pub(crate) program: PathBuf,
    pub(crate) model: String,
    pub(crate) artifact_digest: String,
    pub(crate) arguments: Vec<String>,
}

impl Adapter for Embedded {
    fn command(&self, artifact: &Path) -> Option<Vec<OsString>> {
        let mut command: Vec<OsString> = vec![self.program.clone().into(), "engine".into(), "serve".into()];
        command.extend(["--artifact".into(), artifact.into()]);
        command.extend(["--listen".into(), "127.0.0.1:0".into(), "--model-name".into(), self.model.clone().into()]);
        command.extend(self.arguments.iter().map(OsString::from));
        Some(command)
    }

    fn base_url(&self, stdout: &Path) -> Option<String> {
        listening(stdout)
    }

    fn model(&self) -> Option<String> {
        Some(self.model.clone())
    }

    fn config_hash(&self) -> String {
        let mut hash = Sha256::new();
        let program = self.program.to_string_lossy();
        let parts = [program.as_ref(), &self.model, &self.artifact_digest].map(str::to_string);
        for part in parts.iter().chain(&self.arguments) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

struct External {
    url: String,
    model: Option<String>,
}

impl Adapter for External {
    fn command(&self, _: &Path) -> Option<Vec<OsString>> {
        None
    }

    fn base_url(&self, _: &Path) -> Option<String> {
        Some(self.url.clone())
    }

    fn model(&self) -> Option<String> {
        self.model.clone()
    }

    fn config_hash(&self) -> String {
        format!("external {} {:?}", self.url, self.model)
    }
}

/// Where an engine of ours says that it listens.
pub(crate) fn listening(stdout: &Path) -> Option<String> {
    crate::process::first_line(stdout, |line| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value.get("event")?.as_str()? == "listening").then_some(())?;
        let address: std::net::SocketAddr = value.get("address")?.as_str()?.parse().ok()?;
        Some(format!("http://{address}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(adapter: &str, url: &str) -> Engine {
        Engine { adapter: adapter.into(), url: url.into(), version: "atlas-v1".into(), ..Engine::default() }
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_remedy() {
        let program = Path::new("homeostat");
        assert!(of(&engine("vllm", ""), program).err().unwrap().contains("\"vllm\""));
        assert!(of(&engine("external", "ftp://x"), program).err().unwrap().contains("ftp://x"));
        let external = of(&engine("external", "http://h:1/v1/"), program).unwrap();
        assert_eq!(external.base_url(Path::new("")), Some("http://h:1".into()));
    }

    #[test]
    fn the_listening_line_is_believed_only_when_whole() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "noise\n{\"event\":\"listening\",\"address\":\"127.0.0.1:80").unwrap();
        assert_eq!(listening(&log), None);
        std::fs::write(&log, "noise\n{\"event\":\"listening\",\"address\":\"127.0.0.1:8080\"}\nmore").unwrap();
        assert_eq!(listening(&log), Some("http://127.0.0.1:8080".into()));
    }
}
