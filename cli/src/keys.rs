//! The secrets of one installation, each a 0600 file in `keys/` of its data folder, made at the first start.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use homeostat_clock::Seed;

/// The folder of the secrets.
pub(crate) struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// The secrets of the installation in `data`.
    pub(crate) fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("keys");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("--data: {} cannot be made", folder.display()))?;
        Ok(Self { folder })
    }

    /// 32 bytes, made at the first use.
    pub(crate) fn bytes(&self, name: &str) -> anyhow::Result<[u8; 32]> {
        let path = self.folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => decode(&text)
                .with_context(|| format!("{} is damaged: restore it, or delete it to make a new one", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => self.make(&path),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// The same as text, for a token.
    pub(crate) fn token(&self, name: &str) -> anyhow::Result<String> {
        Ok(hex::encode(self.bytes(name)?))
    }

    /// The root of all randomness and derived keys.
    pub(crate) fn seed(&self) -> anyhow::Result<Seed> {
        Ok(Seed::from_bytes(self.bytes("seed")?))
    }

    fn make(&self, path: &Path) -> anyhow::Result<[u8; 32]> {
        let bytes = Seed::from_os().context("the operating system has no randomness to give")?.derive("key");
        // Written aside and linked into place: a kill in between leaves no half key, and of two starts one wins.
        let aside = path.with_extension(format!("new-{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        writeln!(file, "{}", hex::encode(bytes))?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&aside, path);
        std::fs::remove_file(&aside)?;
        match linked {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => decode(&std::fs::read_to_string(path)?),
            Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
        }
    }
}

fn decode(text: &str) -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).context("it does not hold 64 hexadecimal digits")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let first = keys.bytes("seed").unwrap();
        assert_eq!(keys.bytes("seed").unwrap(), first);
        assert_ne!(keys.bytes("other").unwrap(), first);
        std::fs::write(folder.path().join("keys/seed"), "half").unwrap();
        let error = format!("{:#}", keys.bytes("seed").unwrap_err());
        assert!(error.contains("keys/seed is damaged"), "{error}");
    }
}
