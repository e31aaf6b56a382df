// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a verified report says, together with what its certificate chain adds.

use evtpm_snp::{Generation, Report, Tcb};

use crate::{UnixTime, x509::Revocation};

/// The claims of an SNP report; believe them only inside of a [`crate::Verified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnpClaims {
    /// The report, as received.
    pub report: Report,
    /// The processor generation, from CPUID or, in version 2 reports, from the chain.
    pub generation: Generation,
    /// Whose key signed the report.
    pub signer: Signer,
    /// The product name in the endorsement key's certificate.
    pub product_name: String,
    /// The last second of the endorsement key's validity.
    pub valid_until: UnixTime,
    /// What is known about revocation of the chain.
    pub revocation: Revocation,
}

/// The owner of the key that signed a report.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Signer {
    /// The chip with this id: the certificate says so even where the report masks it.
    Chip {
        /// CHIP_ID, filled up with zeros.
        id: [u8; 64],
    },
    /// A cloud provider, on one of its chips.
    Provider {
        /// The provider's name, as AMD certified it.
        csp_id: String,
    },
}

impl SnpClaims {
    /// Returns the components of the TCB that the signing key was derived from.
    pub fn reported_tcb(&self) -> Tcb {
        self.report.reported_tcb().decode(self.generation)
    }

    /// Returns the components of the TCB below which the platform cannot go.
    pub fn committed_tcb(&self) -> Tcb {
        self.report.committed_tcb().decode(self.generation)
    }

    /// Returns the components of the TCB that ran when the report was made.
    pub fn current_tcb(&self) -> Tcb {
        self.report.current_tcb().decode(self.generation)
    }

    /// Returns the components of the TCB at the guest's launch.
    pub fn launch_tcb(&self) -> Tcb {
        self.report.launch_tcb().decode(self.generation)
    }
}
