//! Who is signed in: a cookie that carries a name and an expiry under a MAC, and the token that forms carry back.
//!
//! There is no session store: the key is the only state. Signing out forgets the cookie; a new key forgets everybody.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use homeostat_clock::UtcMillis;
use sha2::Sha256;

/// Name of the cookie.
pub(crate) const COOKIE: &str = "homeostat_session";

/// How long a sign-in lasts.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Name of a person who gave none.
pub(crate) const DEFAULT_USER: &str = "admin";

/// A person who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// The name that writes carry.
    pub(crate) user: String,
    /// What forms must send back.
    pub(crate) csrf: String,
}

/// Signs and checks.
#[derive(Clone)]
pub(crate) struct Signer {
    /// Padded with zeros to the block of SHA-256, as RFC 2104 pads a shorter key.
    key: [u8; 64],
}

impl Signer {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        let mut padded = [0; 64];
        padded[..32].copy_from_slice(&key);
        Self { key: padded }
    }

    /// The `Set-Cookie` value that signs `user` in at `now`.
    pub(crate) fn cookie(&self, user: &str, now: UtcMillis) -> String {
        let expires = now.plus(LIFETIME).0;
        let name = hex::encode(user);
        let mac = hex::encode(self.mac("session", &format!("{name}.{expires}")).finalize().into_bytes());
        format!("{COOKIE}={name}.{expires}.{mac}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", LIFETIME.as_secs())
    }

    /// The person whose cookie this `Cookie` header holds; `None` when there is none, it is forged, or it ran out.
    pub(crate) fn session(&self, header: &str, now: UtcMillis) -> Option<Session> {
        header.split(';').find_map(|pair| {
            let value = pair.trim().strip_prefix(COOKIE)?.strip_prefix('=')?;
            self.parse(value, now)
        })
    }

    fn parse(&self, value: &str, now: UtcMillis) -> Option<Session> {
        let (signed, mac) = value.rsplit_once('.')?;
        self.mac("session", signed).verify_slice(&hex::decode(mac).ok()?).ok()?;
        let (name, expires) = signed.split_once('.')?;
        if expires.parse::<i64>().ok()? <= now.0 {
            return None;
        }
        let user = String::from_utf8(hex::decode(name).ok()?).ok()?;
        let csrf = hex::encode(self.mac("form", value).finalize().into_bytes());
        Some(Session { user, csrf })
    }

    /// Whether two secrets are equal, in a time that does not depend on where they differ.
    pub(crate) fn equal(&self, left: &str, right: &str) -> bool {
        let expected = self.mac("compare", right).finalize().into_bytes();
        self.mac("compare", left).verify_slice(&expected).is_ok()
    }

    fn mac(&self, purpose: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac
    }
}

/// The `Set-Cookie` value that signs out.
pub(crate) fn forget() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// A name that may stand in a header and in the ledger; empty means [`DEFAULT_USER`].
///
/// # Errors
/// One sentence that says what is allowed.
pub(crate) fn user_name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(DEFAULT_USER.to_string());
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
    if text.len() <= 63 && text.chars().all(allowed) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Ok(text.to_string())
    } else {
        Err("a name has at most 63 letters, digits or @ . _ - and begins with a letter or digit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(cookie: &str) -> String {
        cookie.split(';').next().unwrap_or_default().to_string()
    }

    #[test]
    fn a_cookie_names_its_user_until_it_runs_out() {
        let signer = Signer::new([7; 32]);
        let now = UtcMillis(1_000_000);
        let cookie = value(&signer.cookie("mira@ops", now));
        let session = signer.session(&format!("other=1; {cookie}"), now).expect("signed in");
        assert_eq!(session.user, "mira@ops");
        assert_eq!(signer.session(&cookie, now.plus(LIFETIME)), None);
        assert_eq!(Signer::new([8; 32]).session(&cookie, now), None);
    }

    #[test]
    fn a_changed_cookie_is_refused_and_forms_are_bound_to_theirs() {
        let signer = Signer::new([7; 32]);
        let now = UtcMillis(1_000_000);
        let cookie = value(&signer.cookie("mira", now));
        assert_eq!(signer.session(&cookie.replace(&hex::encode("mira"), &hex::encode("root")), now), None);
        for broken in
            ["", "homeostat_session=", "homeostat_session=a.b", "homeostat_session=a.b.zz", "homeostat_session"]
        {
            assert_eq!(signer.session(broken, now), None, "{broken}");
        }
        let other = value(&signer.cookie("mira", now.plus(Duration::from_secs(1))));
        let csrf = |cookie: &str| signer.session(cookie, now).map(|session| session.csrf);
        assert_ne!(csrf(&cookie), csrf(&other));
        assert!(signer.equal("secret", "secret") && !signer.equal("secret", "secreT") && !signer.equal("", "secret"));
    }

    #[test]
    fn names_are_plain() {
        assert_eq!(user_name("  "), Ok("admin".into()));
        assert_eq!(user_name("mira.k@example.org"), Ok("mira.k@example.org".into()));
        assert!(user_name("a\r\nb").is_err() && user_name("-x").is_err() && user_name(&"x".repeat(64)).is_err());
    }
}
