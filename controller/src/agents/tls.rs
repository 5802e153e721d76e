//! A certificate authority and a server certificate of our own, for agents to trust.
//!
//! Everything is kept in one file, `agents-tls.json` (mode 0600), replaced by rename: a crash leaves the old or the new
//! one, never half of both. `ca.pem` beside it is a copy for agents to be given. It serves no other purpose and reads no
//! certificates of anybody else.
//!
//! The server certificate lasts a year and is renewed at start-up when it would end within 30 days or lacks a name. The
//! authority lasts ten years; renewed, it keeps key and name, so that agents that trust the old one trust the new one.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use homeostat_clock::{Clock, UtcMillis};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const FILE: &str = "agents-tls.json";
const CA_COPY: &str = "ca.pem";
const DAY: Duration = Duration::from_secs(24 * 3600);
const CA_DAYS: u32 = 3650;
const CERTIFICATE_DAYS: u32 = 365;
const RENEW_DAYS: u32 = 30;

/// What the server for agents shows, and what agents need to trust it.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Certificate of the authority (PEM): agents get this.
    pub ca_pem: String,
    /// Certificate of the server (PEM).
    pub cert_pem: String,
    /// Its key (PEM, PKCS #8).
    pub key_pem: String,
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIdentity").field("ca_pem", &self.ca_pem).finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The folder or a file.
    #[error("cannot use {path} for the certificates of the server for agents; check its permissions and free space")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The kept file is damaged.
    #[error(
        "{path} is damaged ({problem}); restore it from a backup, or remove it for a new authority and give every agent \
         the new ca.pem"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A name that cannot stand in a certificate, or another fault of making one.
    #[error("no certificate could be made for the names {names:?}; they must be DNS names or IP addresses")]
    Make {
        /// The names.
        names: Vec<String>,
        /// What is wrong.
        #[source]
        source: rcgen::Error,
    },
}

/// The identity kept in `dir`, made or renewed where needed, valid for `names` (DNS names and IP addresses).
///
/// # Errors
/// When the folder cannot be used, what is kept there is damaged, or a name is none.
pub fn ensure(dir: &Path, names: &[String], clock: &dyn Clock) -> Result<TlsIdentity, TlsError> {
    let now = clock.now();
    let path = dir.join(FILE);
    let held = read(&path)?;
    let next = match held.clone() {
        None => Kept::make(names, now)?,
        Some(kept) => kept.renewed(&path, names, now)?,
    };
    if held.as_ref() != Some(&next) {
        fs::create_dir_all(dir).map_err(|source| TlsError::Io { path: dir.to_owned(), source })?;
        let json = serde_json::to_vec_pretty(&next)
            .map_err(|error| TlsError::Damaged { path: path.clone(), problem: error.to_string() })?;
        replace(&path, &json, 0o600)?;
    }
    let copy = dir.join(CA_COPY);
    if fs::read(&copy).ok().as_deref() != Some(next.ca_pem.as_bytes()) {
        replace(&copy, next.ca_pem.as_bytes(), 0o644)?;
    }
    Ok(TlsIdentity { ca_pem: next.ca_pem, cert_pem: next.cert_pem, key_pem: next.key_pem })
}

/// The file.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    ca_pem: String,
    ca_key_pem: String,
    ca_not_after: UtcMillis,
    cert_pem: String,
    key_pem: String,
    names: Vec<String>,
    not_after: UtcMillis,
    checksum: String,
}

impl Kept {
    fn make(names: &[String], now: UtcMillis) -> Result<Self, TlsError> {
        let fail = |source| TlsError::Make { names: names.to_vec(), source };
        let key = KeyPair::generate().map_err(fail)?;
        let (ca_pem, ca_not_after) = authority(&key, now).map_err(fail)?;
        let ca_key_pem = key.serialize_pem();
        let (cert_pem, key_pem, not_after) = server(key, names, now).map_err(fail)?;
        let (names, checksum) = (names.to_vec(), String::new());
        let kept = Self { ca_pem, ca_key_pem, ca_not_after, cert_pem, key_pem, names, not_after, checksum };
        Ok(Self { checksum: kept.sum(), ..kept })
    }

    fn renewed(mut self, path: &Path, names: &[String], now: UtcMillis) -> Result<Self, TlsError> {
        let damaged = |problem: &str| TlsError::Damaged { path: path.to_owned(), problem: problem.to_owned() };
        if self.checksum != self.sum() {
            return Err(damaged("its content does not match its checksum"));
        }
        let ca_key = KeyPair::from_pem(&self.ca_key_pem).map_err(|_| damaged("the authority's key is not one"))?;
        let fail = |source| TlsError::Make { names: names.to_vec(), source };
        let soon = now.plus(DAY * RENEW_DAYS);
        if self.ca_not_after <= soon {
            (self.ca_pem, self.ca_not_after) = authority(&ca_key, now).map_err(fail)?;
        }
        if self.not_after <= soon || names.iter().any(|name| !self.names.contains(name)) {
            (self.cert_pem, self.key_pem, self.not_after) = server(ca_key, names, now).map_err(fail)?;
            self.names = names.to_vec();
        }
        self.checksum = self.sum();
        Ok(self)
    }

    /// sha256 (hex) of everything else. Damage would otherwise show as agents that cannot connect.
    fn sum(&self) -> String {
        let Self { ca_pem, ca_key_pem, ca_not_after, cert_pem, key_pem, names, not_after, checksum: _ } = self;
        let times = format!("{} {}", ca_not_after.0, not_after.0);
        let mut hash = Sha256::new();
        for part in [ca_pem, ca_key_pem, cert_pem, key_pem, &times].into_iter().chain(names) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

fn authority_params(now: UtcMillis) -> Result<(CertificateParams, UtcMillis), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "Homeostat agents CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let not_after = lasting(&mut params, now, CA_DAYS);
    Ok((params, not_after))
}

fn authority(key: &KeyPair, now: UtcMillis) -> Result<(String, UtcMillis), rcgen::Error> {
    let (params, not_after) = authority_params(now)?;
    Ok((params.self_signed(key)?.pem(), not_after))
}

fn server(ca_key: KeyPair, names: &[String], now: UtcMillis) -> Result<(String, String, UtcMillis), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Homeostat controller");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let not_after = lasting(&mut params, now, CERTIFICATE_DAYS);
    // Of the authority only name and key go into what it signs, and those never change.
    let issuer = Issuer::new(authority_params(now)?.0, ca_key);
    Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem(), not_after))
}

/// Makes a certificate valid from yesterday (clocks differ) for `days`; gives its end. Whole days are exact enough.
fn lasting(params: &mut CertificateParams, now: UtcMillis, days: u32) -> UtcMillis {
    let today = now.window_start(DAY);
    let end = today.plus(DAY * days);
    let (year, month, day) = date(today.minus(DAY));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = date(end);
    params.not_after = rcgen::date_time_ymd(year, month, day);
    end
}

fn date(day: UtcMillis) -> (i32, u8, u8) {
    let date = jiff::Timestamp::from_millisecond(day.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    let number = |value: i8| u8::try_from(value).unwrap_or(1);
    (i32::from(date.year()), number(date.month()), number(date.day()))
}

fn read(path: &Path) -> Result<Option<Kept>, TlsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(TlsError::Io { path: path.to_owned(), source }),
    };
    let damaged = |error: serde_json::Error| TlsError::Damaged { path: path.to_owned(), problem: error.to_string() };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    let temporary = path.with_extension("new");
    let write = || {
        // Left over from a crash, perhaps with other permissions.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all())
    };
    write().map_err(|source| TlsError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use homeostat_clock::ManualClock;

    use super::*;

    fn at_day(day: u32) -> ManualClock {
        ManualClock::at(UtcMillis(1_779_000_000_000).plus(DAY * day))
    }

    fn names() -> Vec<String> {
        vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
    }

    #[test]
    fn it_is_reused_and_renewed_in_time_under_the_same_authority() {
        let dir = tempfile::tempdir().unwrap();
        let first = ensure(dir.path(), &names(), &at_day(0)).unwrap();
        assert_eq!(ensure(dir.path(), &names(), &at_day(300)).unwrap(), first);
        let renewed = ensure(dir.path(), &names(), &at_day(340)).unwrap();
        assert_ne!(renewed.cert_pem, first.cert_pem);
        assert_eq!(renewed.ca_pem, first.ca_pem);
        let wider = ensure(dir.path(), &["controller".to_owned()], &at_day(340)).unwrap();
        assert_ne!(wider.cert_pem, renewed.cert_pem);
        assert_eq!(wider.ca_pem, first.ca_pem);
    }

    #[test]
    fn keys_are_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let identity = ensure(dir.path(), &names(), &at_day(0)).unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(FILE), 0o600);
        assert_eq!(fs::read_to_string(dir.path().join(CA_COPY)).unwrap(), identity.ca_pem);
        assert!(!format!("{identity:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_damaged_file_is_not_replaced_but_named() {
        let dir = tempfile::tempdir().unwrap();
        ensure(dir.path(), &names(), &at_day(0)).unwrap();
        let path = dir.path().join(FILE);
        let whole = fs::read_to_string(&path).unwrap();
        let broken = [whole[..whole.len() / 2].to_owned(), String::new(), whole.replace("PRIVATE KEY", "PRIVATE HOPE")];
        for broken in broken {
            fs::write(&path, &broken).unwrap();
            let error = ensure(dir.path(), &names(), &at_day(0)).unwrap_err();
            assert!(error.to_string().contains("is damaged") && error.to_string().contains("remove it"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = ensure(dir.path(), &["schön".to_owned()], &at_day(0)).unwrap_err();
        assert!(error.to_string().contains("DNS names or IP addresses"), "{error}");
    }
}
