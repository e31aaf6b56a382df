// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attestation protocol's operation structures (SVSM specification, "Attestation Protocol").

use crate::PAGE_SIZE;
use crate::error::Error;
use evtpm_layout::{Guid, U16, U32, U64};

/// SVSM_ATTEST_SERVICES: attests all services.
pub const CALL_SERVICES: u32 = 0;
/// SVSM_ATTEST_SINGLE_SERVICE: attests one service.
pub const CALL_SINGLE_SERVICE: u32 = 1;

/// The size of a nonce.
pub const NONCE_SIZE: usize = 64;
/// The size of the certificate buffer of an SVSM that asks the host for certificates.
pub const MAX_CERTIFICATES: usize = 0x4000;

evtpm_layout::layout! {
    /// The operation structure of SVSM_ATTEST_SERVICES.
    #[derive(Copy, Debug)]
    pub struct ServicesOperation, 0x40 {
        /// The address of the report buffer.
        0x00 report_gpa: U64,
        /// The size of the report buffer.
        0x08 report_size: U32,
        /// Reserved, must be zero.
        0x0c reserved_0c: U32,
        /// The address of the nonce.
        0x10 nonce_gpa: U64,
        /// The size of the nonce.
        0x18 nonce_size: U16,
        /// Reserved, must be zero.
        0x1a reserved_1a: [u8; 6],
        /// The address of the manifest buffer.
        0x20 manifest_gpa: U64,
        /// The size of the manifest buffer.
        0x28 manifest_size: U32,
        /// Reserved, must be zero.
        0x2c reserved_2c: U32,
        /// The address of the certificate buffer.
        0x30 certificate_gpa: U64,
        /// The size of the certificate buffer, zero if no certificates are wanted.
        0x38 certificate_size: U32,
        /// Reserved, must be zero.
        0x3c reserved_3c: U32,
    }
}

evtpm_layout::layout! {
    /// The operation structure of SVSM_ATTEST_SINGLE_SERVICE.
    #[derive(Copy, Debug)]
    pub struct SingleServiceOperation, 0x58 {
        /// The fields of SVSM_ATTEST_SERVICES.
        0x00 services: ServicesOperation,
        /// The service, in the byte order of manifests.
        0x40 service: Guid,
        /// The version of the service's manifest.
        0x50 manifest_version: U32,
        /// Reserved, must be zero.
        0x54 reserved_54: U32,
    }
}

/// A buffer in guest memory: page aligned, its end representable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    gpa: u64,
    size: u32,
}

impl Buffer {
    fn new(what: &'static str, gpa: u64, size: u32) -> Result<Self, Error> {
        let aligned = gpa.is_multiple_of(PAGE_SIZE as u64);
        if !aligned || gpa.checked_add(u64::from(size)).is_none() {
            return Err(Error::Value { what, actual: gpa });
        }
        Ok(Self { gpa, size })
    }

    /// Returns the address.
    #[must_use]
    pub const fn gpa(self) -> u64 {
        self.gpa
    }

    /// Returns the size.
    #[must_use]
    pub const fn size(self) -> u32 {
        self.size
    }
}

/// An operation whose structure is well formed; the memory behind its addresses is still to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Where the report goes.
    pub report: Buffer,
    /// The address of the 64 bytes of nonce, which lie within one page.
    pub nonce_gpa: u64,
    /// Where the manifest goes.
    pub manifest: Buffer,
    /// Where the certificates go, if they are wanted.
    pub certificates: Option<Buffer>,
}

impl Operation {
    /// Parses the operation structure of SVSM_ATTEST_SERVICES.
    pub fn parse_services(bytes: &[u8]) -> Result<Self, Error> {
        Self::check(ServicesOperation::view(bytes)?)
    }

    /// Parses the operation structure of SVSM_ATTEST_SINGLE_SERVICE: operation, service and manifest version.
    pub fn parse_single_service(bytes: &[u8]) -> Result<(Self, Guid, u32), Error> {
        let single = SingleServiceOperation::view(bytes)?;
        if single.reserved_54.get() != 0 {
            return Err(Error::Reserved { what: WHAT, offset: 0x54 });
        }
        Ok((Self::check(&single.services)?, single.service, single.manifest_version.get()))
    }

    fn check(raw: &ServicesOperation) -> Result<Self, Error> {
        let gaps = [
            (raw.reserved_0c.get() == 0, 0x0c),
            (raw.reserved_1a == [0; 6], 0x1a),
            (raw.reserved_2c.get() == 0, 0x2c),
            (raw.reserved_3c.get() == 0, 0x3c),
        ];
        if let Some((_, offset)) = gaps.into_iter().find(|(is_zero, _)| !is_zero) {
            return Err(Error::Reserved { what: WHAT, offset });
        }

        let (nonce_gpa, nonce_size) = (raw.nonce_gpa.get(), raw.nonce_size.get());
        if usize::from(nonce_size) != NONCE_SIZE {
            return Err(Error::Value { what: "attestation operation: nonce size", actual: nonce_size.into() });
        }
        if nonce_gpa & 0xfff > (PAGE_SIZE - NONCE_SIZE) as u64 {
            return Err(Error::Value { what: "attestation operation: nonce address", actual: nonce_gpa });
        }

        let buffer = |what, gpa: U64, size: U32| Buffer::new(what, gpa.get(), size.get());
        let certificates = match raw.certificate_size.get() {
            0 => None,
            _ => Some(buffer("attestation operation: certificate address", raw.certificate_gpa, raw.certificate_size)?),
        };
        Ok(Self {
            report: buffer("attestation operation: report address", raw.report_gpa, raw.report_size)?,
            nonce_gpa,
            manifest: buffer("attestation operation: manifest address", raw.manifest_gpa, raw.manifest_size)?,
            certificates,
        })
    }
}

const WHAT: &str = "attestation operation";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use proptest::prelude::*;

    fn services() -> ServicesOperation {
        ServicesOperation {
            report_gpa: U64::new(0x1000),
            report_size: U32::new(0x1000),
            nonce_gpa: U64::new(0x2fc0),
            nonce_size: U16::new(64),
            manifest_gpa: U64::new(0x3000),
            manifest_size: U32::new(0x1000),
            certificate_gpa: U64::new(0x4000),
            certificate_size: U32::new(0x4000),
            ..ServicesOperation::zeroed()
        }
    }

    #[test]
    fn a_well_formed_operation_names_its_buffers() {
        let operation = Operation::parse_services(services().as_bytes()).unwrap();
        assert_eq!((operation.report.gpa(), operation.report.size()), (0x1000, 0x1000));
        assert_eq!(operation.nonce_gpa, 0x2fc0);
        assert_eq!(operation.certificates.map(Buffer::gpa), Some(0x4000));
    }

    #[test]
    fn a_single_service_is_named_in_manifest_order() {
        let single = SingleServiceOperation {
            services: services(),
            service: manifest::VTPM_SERVICE,
            manifest_version: U32::new(1),
            reserved_54: U32::new(0),
        };
        assert_eq!(single.as_bytes()[0x40..0x44], [0xeb, 0xf1, 0x76, 0xc4]);
        let (_, service, version) = Operation::parse_single_service(single.as_bytes()).unwrap();
        assert_eq!((service, version), (manifest::VTPM_SERVICE, 1));
    }

    #[test]
    fn every_reserved_byte_must_be_zero() {
        let single = SingleServiceOperation { services: services(), ..SingleServiceOperation::zeroed() };
        for offset in [0x0c, 0x0f, 0x1a, 0x1f, 0x2c, 0x2f, 0x3c, 0x3f, 0x54, 0x57] {
            let mut bytes = *single.as_bytes();
            bytes[offset] = 1;
            assert!(matches!(Operation::parse_single_service(&bytes), Err(Error::Reserved { .. })), "{offset:#x}");
        }
    }

    #[test]
    fn a_nonce_is_64_bytes_within_a_page() {
        let refused = |change: fn(&mut ServicesOperation)| {
            let mut operation = services();
            change(&mut operation);
            assert!(matches!(Operation::parse_services(operation.as_bytes()), Err(Error::Value { .. })));
        };
        refused(|operation| operation.nonce_size = U16::new(63));
        refused(|operation| operation.nonce_size = U16::new(0));
        refused(|operation| operation.nonce_gpa = U64::new(0x2fc1));
    }

    #[test]
    fn unaligned_and_wrapping_buffers_are_refused() {
        for (gpa, size) in [(0x1001, 0x1000), (0xffff_ffff_ffff_f000, 0x1001)] {
            let mut operation = services();
            (operation.manifest_gpa, operation.manifest_size) = (U64::new(gpa), U32::new(size));
            assert_eq!(
                Operation::parse_services(operation.as_bytes()),
                Err(Error::Value { what: "attestation operation: manifest address", actual: gpa })
            );
        }
    }

    #[test]
    fn no_certificates_are_wanted_with_size_zero() {
        let mut operation = services();
        (operation.certificate_gpa, operation.certificate_size) = (U64::new(1), U32::new(0));
        assert_eq!(Operation::parse_services(operation.as_bytes()).unwrap().certificates, None);
    }

    proptest! {
        #[test]
        fn random_operations_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0x58)) {
            let _ = (Operation::parse_single_service(&bytes), Operation::parse_services(&bytes[..0x40]));
        }
    }
}
