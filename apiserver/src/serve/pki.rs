//! A certificate authority and a server certificate of our own, kept in a folder.
//!
//! They are used again at the next start, so that a kubeconfig stays good, and made anew when they are missing, damaged, or end
//! within a month. `validity.json` says when; the certificates themselves are not parsed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::ServeError;
use super::kubeconfig::write_private;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const LIFETIME_DAYS: i64 = 825;
const RENEW_DAYS: i64 = 30;

/// What a TLS server needs, and what its clients trust.
pub(super) struct Pki {
    pub(super) ca_pem: String,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Pki {
    /// Takes what is in `folder`, or makes it, for loopback names and `address`.
    pub(super) fn load_or_make(folder: &Path, address: IpAddr, now_ms: i64) -> Result<Self, ServeError> {
        match Self::load(folder, address, now_ms) {
            Some(pki) => Ok(pki),
            None => Self::make(folder, address, now_ms),
        }
    }

    fn load(folder: &Path, address: IpAddr, now_ms: i64) -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let validity: Value = serde_json::from_str(&read("validity.json")?).ok()?;
        let until = validity["notAfterMs"].as_i64()?;
        let from = validity["notBeforeMs"].as_i64()?;
        let covered = validity["address"].as_str()? == address.to_string();
        if now_ms < from || now_ms > until - RENEW_DAYS * DAY_MS || !covered {
            return None;
        }
        let ca_pem = read("ca.crt")?;
        CertificateDer::from_pem_slice(ca_pem.as_bytes()).ok()?;
        let certificate = CertificateDer::from_pem_slice(read("server.crt")?.as_bytes()).ok()?;
        let key_pem = read("server.key")?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).ok()?;
        // A key that belongs to another certificate is refused where the TLS configuration is made.
        super::tls::configuration(&certificate, &key).ok()?;
        Some(Self { ca_pem, certificate, key })
    }

    fn make(folder: &Path, address: IpAddr, now_ms: i64) -> Result<Self, ServeError> {
        let from = now_ms - DAY_MS;
        let until = now_ms + LIFETIME_DAYS * DAY_MS;
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name.push(DnType::CommonName, "homeostat embedded API CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut ca, from, until);
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate()?;
        let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
        server.distinguished_name.push(DnType::CommonName, "homeostat embedded API");
        let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        if !addresses.contains(&address) {
            addresses.push(address);
        }
        server.subject_alt_names.extend(addresses.into_iter().map(SanType::IpAddress));
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.use_authority_key_identifier_extension = true;
        validity(&mut server, from, until);
        let certificate = server.signed_by(&key, &issuer)?;

        let ca_pem = ca_certificate.pem();
        let key_pem = key.serialize_pem();
        // The CA's key is not kept: nothing else is ever signed by it.
        let _ = std::fs::remove_file(folder.join("validity.json"));
        write_private(&folder.join("ca.crt"), ca_pem.as_bytes())?;
        write_private(&folder.join("server.crt"), certificate.pem().as_bytes())?;
        write_private(&folder.join("server.key"), key_pem.as_bytes())?;
        let noted = json!({"notBeforeMs": from, "notAfterMs": until - DAY_MS, "address": address.to_string()});
        write_private(&folder.join("validity.json"), noted.to_string().as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
            .map_err(|error| ServeError::Certificate(error.to_string()))?;
        Ok(Self { ca_pem, certificate: certificate.der().clone(), key })
    }
}

/// Year, month and day of a time, UTC.
fn date(ms: i64) -> (i32, u8, u8) {
    let date = jiff::Timestamp::from_millisecond(ms)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// rcgen's date type cannot be named from here.
fn validity(params: &mut CertificateParams, from_ms: i64, until_ms: i64) {
    let ((year, month, day), (last_year, last_month, last_day)) = (date(from_ms), date(until_ms));
    params.not_before = date_time_ymd(year, month, day);
    params.not_after = date_time_ymd(last_year, last_month, last_day);
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{DAY_MS, Pki};

    #[test]
    fn certificates_are_kept_until_they_are_damaged_or_end() {
        let folder = tempfile::tempdir().unwrap();
        let now = 1_767_225_600_000;
        let ca = |now| Pki::load_or_make(folder.path(), IpAddr::V4(Ipv4Addr::LOCALHOST), now).unwrap().ca_pem;
        let first = ca(now);
        assert_eq!(ca(now + 100 * DAY_MS), first);
        let renewed = ca(now + 800 * DAY_MS);
        assert_ne!(renewed, first);
        // A key cut short, and a key of another certificate.
        let key = folder.path().join("server.key");
        std::fs::write(&key, "-----BEGIN PRIVATE").unwrap();
        let again = ca(now + 800 * DAY_MS);
        assert_ne!(again, renewed);
        std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert_ne!(ca(now + 800 * DAY_MS), again);
    }
}
