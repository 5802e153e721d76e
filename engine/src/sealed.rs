//! Sealed folders: files with their sha256 sums, complete or not there at all.
//!
//! `SHA256SUMS` lists every file (sorted, `<hex>  <name>`); `_SUCCESS` holds the sha256 of `SHA256SUMS`, which is the
//! folder's digest. A folder is written beside its destination, synced, and renamed into place; `_SUCCESS` is the last
//! file written. Artifacts and checkpoints are both sealed folders.
//!
//! Reading verifies first and hands out exactly the bytes that were verified, so nothing can change in between.
//! It deliberately knows nothing of what the files mean.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The list of sums.
pub const SUMS: &str = "SHA256SUMS";
/// The seal.
pub const SEAL: &str = "_SUCCESS";

/// A sha256 as 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits {
            Ok(Self(text))
        } else {
            Err(format!("\"{text}\" is no sha256: use 64 lower-case hexadecimal digits"))
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

/// The verified content of a sealed folder.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The folder's digest.
    pub digest: Digest,
    /// Its files, without the sums and the seal.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A folder that is incomplete, corrupt or cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A file cannot be read or written.
    #[error("cannot access {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no seal: the folder was never finished.
    #[error("{} is missing: the folder was never completed; produce or fetch it again", path.display())]
    Unsealed {
        /// The missing file.
        path: PathBuf,
    },
    /// A file is not what the sums say.
    #[error("{} is corrupt: {what}; fetch the folder again", path.display())]
    Corrupt {
        /// The corrupt file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Writes `files` as a sealed folder at `destination`, replacing what was there, and returns its digest.
///
/// # Errors
/// When a file cannot be written; the destination is then as it was before.
pub fn write(destination: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Digest, SealError> {
    let sums: String = files.iter().map(|(name, bytes)| format!("{}  {name}\n", Digest::of(bytes))).collect();
    let digest = Digest::of(sums.as_bytes());
    let parent = destination.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(at(parent))?;
    let partial = beside(destination, "partial");
    let replaced = beside(destination, "replaced");
    for leftover in [&partial, &replaced] {
        remove(leftover)?;
    }
    fs::create_dir(&partial).map_err(at(&partial))?;
    for (name, bytes) in files {
        write_synced(&partial.join(name), bytes)?;
    }
    write_synced(&partial.join(SUMS), sums.as_bytes())?;
    write_synced(&partial.join(SEAL), format!("{digest}\n").as_bytes())?;
    sync(&partial)?;
    if destination.exists() {
        fs::rename(destination, &replaced).map_err(at(destination))?;
    }
    fs::rename(&partial, destination).map_err(at(destination))?;
    sync(parent)?;
    remove(&replaced)?;
    Ok(digest)
}

/// Reads and verifies the sealed folder `folder`.
///
/// # Errors
/// When the seal is missing, or a file is missing, cut short or changed; the error names the file.
pub fn read(folder: &Path) -> Result<Sealed, SealError> {
    let seal_path = folder.join(SEAL);
    let seal = match fs::read_to_string(&seal_path) {
        Ok(seal) => seal,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SealError::Unsealed { path: seal_path }),
        Err(error) => return Err(at(&seal_path)(error)),
    };
    let digest = Digest::try_from(seal.trim().to_owned()).map_err(|what| corrupt(&seal_path, &what))?;
    let sums_path = folder.join(SUMS);
    let sums = read_listed(&sums_path)?;
    if Digest::of(&sums) != digest {
        return Err(corrupt(&sums_path, "its sha256 is not the one in _SUCCESS"));
    }
    let sums = String::from_utf8(sums).map_err(|_| corrupt(&sums_path, "it is not text"))?;
    let mut files = BTreeMap::new();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").ok_or_else(|| corrupt(&sums_path, "a line has no two columns"))?;
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
            return Err(corrupt(&sums_path, "it lists something that is no plain file name"));
        }
        let path = folder.join(name);
        let bytes = read_listed(&path)?;
        if Digest::of(&bytes).as_str() != sum {
            let what = format!("its sha256 is not the one in {SUMS} ({} bytes found)", bytes.len());
            return Err(corrupt(&path, &what));
        }
        files.insert(name.to_owned(), bytes);
    }
    Ok(Sealed { digest, files })
}

fn read_listed(path: &Path) -> Result<Vec<u8>, SealError> {
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => corrupt(path, "it is missing"),
        _ => at(path)(error),
    })
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SealError> {
    let mut file = File::create(path).map_err(at(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(path))
}

fn sync(folder: &Path) -> Result<(), SealError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

fn remove(folder: &Path) -> Result<(), SealError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(folder)(error)),
        _ => Ok(()),
    }
}

/// A hidden sibling, on the same file system, so that the rename is atomic.
fn beside(destination: &Path, suffix: &str) -> PathBuf {
    let name = destination.file_name().unwrap_or_default().to_string_lossy();
    destination.with_file_name(format!(".{name}.{suffix}"))
}

fn at(path: &Path) -> impl Fn(io::Error) -> SealError {
    let path = path.to_owned();
    move |source| SealError::Io { path: path.clone(), source }
}

fn corrupt(path: &Path, what: &str) -> SealError {
    SealError::Corrupt { path: path.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<String, Vec<u8>> {
        [("b.txt", "two"), ("a.txt", "one")].map(|(name, text)| (name.to_owned(), text.into())).into()
    }

    #[test]
    fn what_was_written_is_read_and_the_digest_is_that_of_the_sums() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("model");
        let digest = write(&folder, &files()).unwrap();
        let sealed = read(&folder).unwrap();
        assert_eq!((sealed.digest, sealed.files), (digest.clone(), files()));
        assert_eq!(Digest::of(&fs::read(folder.join(SUMS)).unwrap()), digest);
        assert_eq!(write(&folder, &files()).unwrap(), digest, "written again over itself");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn each_kind_of_damage_names_its_file() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("model");
        let damage = |file: &str, change: &dyn Fn(&Path)| {
            write(&folder, &files()).unwrap();
            change(&folder.join(file));
            let error = read(&folder).unwrap_err().to_string();
            assert!(error.contains(file), "{file}: {error}");
        };
        damage("a.txt", &|path| fs::write(path, "onf").unwrap());
        damage("a.txt", &|path| fs::write(path, "on").unwrap());
        damage("b.txt", &|path| fs::remove_file(path).unwrap());
        damage(SUMS, &|path| fs::write(path, "").unwrap());
        damage(SUMS, &|path| fs::remove_file(path).unwrap());
        damage(SEAL, &|path| fs::remove_file(path).unwrap());
        damage(SEAL, &|path| fs::write(path, "yes").unwrap());
    }

    #[test]
    fn a_list_cannot_reach_outside_its_folder() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("secret"), "x").unwrap();
        let folder = root.path().join("model");
        fs::create_dir(&folder).unwrap();
        let sums = format!("{}  ../secret\n", Digest::of(b"x"));
        fs::write(folder.join(SUMS), &sums).unwrap();
        fs::write(folder.join(SEAL), Digest::of(sums.as_bytes()).as_str()).unwrap();
        assert!(matches!(read(&folder), Err(SealError::Corrupt { .. })));
    }
}
