// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The revocation list of a root (RFC 5280, "CRL and CRL Extensions Profile"), as the key distribution service has it.

use alloc::vec;
use alloc::vec::Vec;

use crate::authority::{AUTHORITY_KEY_ID, Authority, Role, extension, pss_algorithm};
use crate::der;
use crate::error::Error;
use crate::time::UnixTime;

const CRL_NUMBER: [u32; 4] = [2, 5, 29, 20];

/// What a revocation list says; the root signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// The number of the list.
    pub number: u32,
    /// When the list was made.
    pub this_update: UnixTime,
    /// When the next list is due.
    pub next_update: UnixTime,
    /// The serial numbers of revoked intermediates, and since when they are.
    pub revoked: Vec<(u32, UnixTime)>,
}

impl RevocationList {
    /// Signs the list with a root's key, in DER.
    ///
    /// # Errors
    /// The signature fails.
    pub fn sign(&self, authority: &Authority) -> Result<Vec<u8>, Error> {
        let algorithm = pss_algorithm(false);
        let mut parts = vec![
            der::number(1),
            algorithm.clone(),
            Authority::name(&authority.common_name(Role::Ark)),
            self.this_update.to_der(),
            self.next_update.to_der(),
        ];
        let entries: Vec<_> =
            self.revoked.iter().map(|(serial, since)| der::sequence(&[der::number(*serial), since.to_der()])).collect();
        // "When there are no revoked certificates, the revoked certificates list MUST be absent."
        if !entries.is_empty() {
            parts.push(der::sequence(&entries));
        }
        let extensions = [
            extension(&AUTHORITY_KEY_ID, false, &authority.authority_key_id()),
            extension(&CRL_NUMBER, false, &der::number(self.number)),
        ];
        parts.push(der::explicit(0, der::sequence(&extensions)));
        authority.sign(Role::Ark, algorithm, der::sequence(&parts))
    }
}
