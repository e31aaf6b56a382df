// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which commands the TPM takes now, and why it may take none (Part 1, "Failure Mode").

use crate::{Platform, Tpm};
use evtpm_crypto::{CryptoError, EntropyError};
use evtpm_tpm_wire::Rc;

/// Where the TPM stands between power and failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// After `_TPM_Init`: waits for `TPM2_Startup`.
    Initialized,
    /// After `TPM2_Startup`.
    Operational,
    /// In failure mode, until the next manufacture.
    Failed(Failure),
}

/// Why a TPM failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The noise source or the generator over it.
    Entropy(EntropyError),
    /// A known-answer test gave another answer.
    SelfTest,
    /// A computation with a key gave a result that does not belong to it.
    Fault(CryptoError),
    /// A decrypted context does not have the number under which it was authenticated.
    Context,
    /// The host asked for it.
    Requested,
    /// A response did not fit the buffer that holds every response.
    Response,
    /// A measurement could not be taken for want of memory.
    OutOfMemory,
}

impl Failure {
    /// Tells the number that `TPM2_GetTestResult` reports.
    pub const fn number(self) -> u32 {
        match self {
            Self::Entropy(_) => 1,
            Self::SelfTest => 2,
            Self::Fault(_) => 3,
            Self::Context => 4,
            Self::Requested => 5,
            Self::OutOfMemory => 6,
            Self::Response => 7,
        }
    }
}

impl<P: Platform> Tpm<P> {
    /// Enters failure mode and gives the code to answer with.
    pub(crate) fn fail(&mut self, failure: Failure) -> Rc {
        self.phase = Phase::Failed(failure);
        Rc::FAILURE
    }

    /// Translates what arithmetic reports: a fault or a dead generator fails the TPM, all else is `refusal`.
    pub(crate) fn refuse(&mut self, error: CryptoError, refusal: Rc) -> Rc {
        match error {
            CryptoError::Entropy(entropy) => self.fail(Failure::Entropy(entropy)),
            CryptoError::RsaFault | CryptoError::SelfTest => self.fail(Failure::Fault(error)),
            _ => refusal,
        }
    }

    /// Enters failure mode because the host wants to see it.
    pub fn enter_failure_mode(&mut self) {
        let _ = self.fail(Failure::Requested);
    }

    /// Tells where the TPM stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }
}
