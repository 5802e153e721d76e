//! The kubeconfig file.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::ServeError;

/// Writes a kubeconfig with mode 0600, by an atomic rename: a reader sees the old file or the new one.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn write_kubeconfig(path: &Path, server_url: &str, ca_pem: &str, token: &str) -> Result<(), ServeError> {
    // JSON is YAML, and needs no quoting rules.
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "homeostat", "cluster": {
            "server": server_url, "certificate-authority-data": STANDARD.encode(ca_pem),
        }}],
        "users": [{"name": "homeostat", "user": {"token": token}}],
        "contexts": [{"name": "homeostat", "context": {"cluster": "homeostat", "user": "homeostat", "namespace": "default"}}],
        "current-context": "homeostat",
    });
    let text = serde_json::to_string_pretty(&config).unwrap_or_else(|_| config.to_string());
    write_private(path, text.as_bytes())
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), ServeError> {
    let error = |source| ServeError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(error)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = std::path::PathBuf::from(name);
    // A leftover of a killed process of the same id would keep its mode.
    let _ = std::fs::remove_file(&temporary);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&temporary).map_err(error)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(error)?;
    std::fs::rename(&temporary, path).map_err(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_file_is_private_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/kubeconfig");
        super::write_kubeconfig(&path, "https://127.0.0.1:1", "CA", "t1").unwrap();
        super::write_kubeconfig(&path, "https://127.0.0.1:2", "CA", "t2").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("127.0.0.1:2") && text.contains("t2") && !text.contains("t1"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
