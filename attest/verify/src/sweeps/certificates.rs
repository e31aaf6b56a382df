// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates below an issuer that lies beside them, roots below themselves.

use super::{Item, Subject};
use crate::x509::Certificate;

/// Every certificate of an item whose issuer is there too.
pub(super) fn of_item(item: &Item) -> Vec<Subject> {
    let certificates = item.certificates();
    below(item, &certificates, &certificates)
}

/// Every one of the certificates that one of the pool signed.
pub(super) fn below(item: &Item, certificates: &[Certificate], pool: &[Certificate]) -> Vec<Subject> {
    let subject = |certificate: &Certificate| {
        let issuer = pool.iter().find(|issuer| certificate.check_signed_by(issuer).is_ok())?.clone();
        let name = item.part(&format!("{} {:x?}", certificate.common_name(), certificate.serial()));
        Some(Subject::new(name, certificate.der().to_vec(), move |bytes| {
            Certificate::from_der(bytes).is_ok_and(|changed| changed.check_signed_by(&issuer).is_ok())
        }))
    };
    certificates.iter().filter_map(subject).collect()
}
