// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who may do what: administrators by token or by client certificate, each with roles.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};

use crate::app::App;
use crate::listener::{ClientName, ClientUnits};
use crate::refusal::Refusal;
use crate::store::TokenRow;

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Look at machines, policies and the audit log.
    Read,
    /// Add and remove machines, end alarms.
    Operate,
    /// Change policies, and which machine has which.
    Policy,
    /// Give out tokens and keys.
    Keys,
}

impl Role {
    const ALL: [Role; 4] = [Role::Read, Role::Operate, Role::Policy, Role::Keys];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Operate => "operate",
            Role::Policy => "policy",
            Role::Keys => "keys",
        }
    }
}

/// Some of the roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles(u8);

impl Roles {
    pub(crate) const ALL: Roles = Roles(0b1111);

    pub(crate) const fn contain(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    pub(crate) fn names(self) -> Vec<String> {
        Role::ALL.into_iter().filter(|role| self.contain(*role)).map(|role| role.name().to_owned()).collect()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = |name: &str| {
            let found = Role::ALL.into_iter().find(|role| role.name() == name);
            found.ok_or_else(|| format!("`{name}` is no role: expected read, operate, policy or keys"))
        };
        let roles = text.split(',').try_fold(0, |roles, name| Ok::<u8, String>(roles | 1 << role(name)? as u8))?;
        Ok(Roles(roles))
    }
}

/// What a client certificate lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateRoles {
    /// Everything: the CA was made at the first start, with one certificate, and its key is gone.
    All,
    /// What the organisational units of its subject name: `OU=read`, `OU=policy`…
    ByUnit,
}

impl CertificateRoles {
    fn roles(self, units: Option<&ClientUnits>) -> Roles {
        match self {
            CertificateRoles::All => Roles::ALL,
            CertificateRoles::ByUnit => {
                let units = units.iter().flat_map(|ClientUnits(units)| units);
                Roles(units.filter_map(|unit| unit.parse::<Roles>().ok()).fold(0, |all, Roles(some)| all | some))
            }
        }
    }
}

/// The cookie of the page's sessions; its prefix makes browsers refuse it from anyone but this very host over TLS.
pub(crate) const SESSION_COOKIE: &str = "__Host-evtpm";

/// Says whose page made a browser send a request (Fetch Metadata, "Sec-Fetch-Site").
const FETCH_SITE: &str = "sec-fetch-site";

/// Finds the token in the session's cookie.
fn session_token(headers: &HeaderMap) -> Option<&[u8]> {
    let cookies = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    cookies
        .map(<[u8]>::trim_ascii)
        .find_map(|cookie| cookie.strip_prefix(SESSION_COOKIE.as_bytes())?.strip_prefix(b"="))
}

/// The tokens that open something.
#[derive(Debug, Default)]
pub(crate) struct Access(RwLock<HashMap<Vec<u8>, Caller>>);

impl Access {
    /// Lets a token in; only its digest is kept.
    pub(crate) fn admit(&self, token: &TokenRow) -> Result<(), String> {
        let caller = Caller { name: token.name.clone(), roles: token.roles.parse()? };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(token.digest.clone(), caller);
        Ok(())
    }

    /// Lets the token of a name in no more.
    pub(crate) fn forget(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, caller| caller.name != name);
    }

    /// Lets these tokens in and no others.
    pub(crate) fn replace(&self, tokens: &[TokenRow]) -> Result<(), String> {
        let caller = |token: &TokenRow| {
            let caller = Caller { name: token.name.clone(), roles: token.roles.parse()? };
            Ok((token.digest.clone(), caller))
        };
        let tokens = tokens.iter().map(caller).collect::<Result<_, String>>()?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
    }

    /// Finds who has a token. It is found by its digest, so that the time this takes tells nothing of the token.
    pub(crate) fn of(&self, token: &[u8]) -> Option<Caller> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&digest(token)).cloned()
    }
}

/// What is kept of a token.
pub(crate) fn digest(token: &[u8]) -> Vec<u8> {
    RustCrypto::hash(HashAlg::Sha256, &[token]).as_bytes().to_vec()
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The name that the audit log has.
    pub(crate) name: String,
    pub(crate) roles: Roles,
}

impl Caller {
    /// Checks that the caller has a role.
    pub(crate) fn may(&self, role: Role) -> Result<(), Refusal> {
        if self.roles.contain(role) { Ok(()) } else { Err(Refusal::forbidden(&self.name, role.name())) }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let site = parts.headers.get(FETCH_SITE).map(|site| site.as_bytes());
        // A browser sends certificates and cookies with whatever any page makes it ask; it also says whose page that was.
        if !matches!(site, None | Some(b"same-origin" | b"none")) {
            return Err(Refusal::cross_site());
        }
        if let Some(ClientName(Some(name))) = parts.extensions.get() {
            let units = parts.extensions.get::<ClientUnits>();
            return Ok(Caller { name: name.clone(), roles: app.settings.certificates.roles(units) });
        }
        let bearer = parts.headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let cookie = || session_token(&parts.headers).filter(|_| site == Some(b"same-origin"));
        bearer.or_else(cookie).and_then(|token| app.access.of(token)).ok_or_else(Refusal::unauthorized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        let roles: Roles = "read,policy".parse().unwrap();
        assert!(roles.contain(Role::Read) && roles.contain(Role::Policy));
        assert!(!roles.contain(Role::Operate) && !roles.contain(Role::Keys));
        assert_eq!(roles.to_string(), "read,policy");
        assert!("read,root".parse::<Roles>().unwrap_err().contains("`root`"));
        assert!("".parse::<Roles>().is_err(), "no role is no token");
    }

    #[test]
    fn a_certificate_may_do_what_its_organisational_units_say() {
        let units = ClientUnits(vec!["read".into(), "Operations".into(), "policy".into()]);
        assert_eq!(CertificateRoles::ByUnit.roles(Some(&units)).to_string(), "read,policy");
        assert_eq!(CertificateRoles::ByUnit.roles(Some(&ClientUnits(Vec::new()))).to_string(), "");
        assert_eq!(CertificateRoles::All.roles(None), Roles::ALL);
    }

    #[test]
    fn the_sessions_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, "a=b; __Host-evtpm=secret; __Host-evtpm2=x".parse().unwrap());
        assert_eq!(session_token(&headers), Some(&b"secret"[..]));
        headers.insert(COOKIE, "__Host-evtpm2=x".parse().unwrap());
        assert_eq!(session_token(&headers), None);
    }

    #[test]
    fn a_token_opens_until_it_is_forgotten() {
        let access = Access::default();
        let row = TokenRow { name: "ci".into(), digest: digest(b"secret"), roles: "read".into(), created_at: 1 };
        access.admit(&row).unwrap();
        assert_eq!(access.of(b"secret").unwrap().name, "ci");
        assert!(access.of(b"Secret").is_none());
        access.forget("ci");
        assert!(access.of(b"secret").is_none());
    }
}
