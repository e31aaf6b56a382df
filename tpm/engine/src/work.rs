// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Long work in steps: the search for the primes of an RSA key, which goes on when its command is executed again.
//!
//! A command that searches for longer than it may answers `TPM_RC_YIELDED`: "the TPM has suspended operation on the command;
//! forward progress was made and the command may be retried". It has changed nothing, so it can be dropped as well.

use crate::memory::{OutOfMemory, Reserved};
use crate::object::create::CreateError;
use crate::{Execution, Locality, Platform, Tpm};
use evtpm_crypto::drbg::HmacDrbg;
use evtpm_crypto::{Crypto, Digest, HashAlg, Rng};
use evtpm_tpm_wire::{Cc, Rc};
use zeroize::Zeroizing;

/// What became of a command that was given so many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The command has ended, or waits for the host.
    Done(Execution),
    /// It has not: the same bytes, executed again, go on. The response buffer says `TPM_RC_YIELDED`.
    Working,
}

/// The long work of one command, and the memory in which it and every other private RSA operation is done.
pub(crate) struct Work<C: Crypto> {
    /// Steps that are left; as many as it takes when there is no number.
    budget: Option<u32>,
    /// The command that is being executed in steps.
    command: Digest,
    saved: Option<Search<C>>,
    memory: Reserved<C::RsaMemory>,
}

/// A search that was interrupted; what it found so far is in the memory.
struct Search<C: Crypto> {
    command: Digest,
    rng: HmacDrbg<C>,
}

impl<C: Crypto> Work<C> {
    /// Nothing to go on with, and no end of patience.
    pub(crate) fn reserve() -> Result<Self, OutOfMemory> {
        Ok(Self { budget: None, command: Digest::EMPTY, saved: None, memory: Reserved::reserve()? })
    }

    /// Gives up what was begun.
    pub(crate) fn forget(&mut self) {
        self.saved = None;
        if let Ok(memory) = self.memory.get_mut() {
            C::rsa_forget(memory);
        }
    }

    /// Lends the memory for another operation, which gives up what was begun.
    pub(crate) fn memory(&mut self) -> Result<&mut C::RsaMemory, Rc> {
        self.saved = None;
        self.memory.get_mut().map_err(|OutOfMemory| Rc::MEMORY)
    }

    /// Generates an RSA key from a generator of its own, seeded by `rng`: the same seed gives the same key, in however many
    /// pieces.
    pub(crate) fn generate(
        &mut self,
        exponent: u32,
        rng: &mut dyn Rng,
        modulus: &mut [u8],
        prime: &mut [u8],
    ) -> Result<(), CreateError> {
        let mut work = match self.saved.take() {
            Some(saved) => saved,
            None => {
                C::rsa_search(modulus.len().saturating_mul(8), exponent, self.memory()?)?;
                Search::begin(self.command, rng)?
            }
        };
        loop {
            if let Some(left) = self.budget {
                let Some(left) = left.checked_sub(1) else {
                    self.saved = Some(work);
                    return Err(Rc::YIELDED.into());
                };
                self.budget = Some(left);
            }
            let memory = self.memory.get_mut().map_err(|OutOfMemory| Rc::MEMORY)?;
            if C::rsa_search_step(memory, &mut work.rng, modulus, prime)? {
                return Ok(());
            }
        }
    }
}

impl<C: Crypto> Search<C> {
    fn begin(command: Digest, rng: &mut dyn Rng) -> Result<Self, CreateError> {
        let mut seed = Zeroizing::new([0; 48]);
        rng.fill(&mut *seed).map_err(evtpm_crypto::CryptoError::Entropy)?;
        Ok(Self { command, rng: HmacDrbg::new(&*seed, &[], b"RSA key") })
    }
}

impl<P: Platform> Tpm<P> {
    /// Executes one command like [`Tpm::execute`], but returns after so many steps of a search for primes; each is one modular
    /// power, some milliseconds at most.
    ///
    /// After [`Step::Working`] nothing has changed, neither in the TPM nor in `command`. Another command, or [`Tpm::cancel`],
    /// gives up what was begun.
    pub fn step(&mut self, locality: Locality, command: &mut [u8], response: &mut [u8], steps: u32) -> Step {
        if !may_search(command) {
            return Step::Done(self.execute(locality, command, response));
        }
        let name = P::Crypto::hash(HashAlg::Sha256, &[&[locality.number()], command]);
        self.work.budget = Some(steps);
        if self.work.saved.as_ref().is_none_or(|saved| saved.command != name) {
            self.work.forget();
        }
        self.work.command = name;
        // A command is decrypted in place, and must come again as it came.
        let Ok(mut copy) = crate::memory::Blob::copy_of(command) else {
            return Step::Done(Execution::Response(crate::dispatch::write_error(Rc::MEMORY, response)));
        };
        let execution = self.dispatch(locality, command, response);
        self.work.budget = None;
        if self.work.saved.is_none() {
            return Step::Done(execution);
        }
        command.iter_mut().zip(copy.as_mut_slice()).for_each(|(to, from)| *to = *from);
        Step::Working
    }

    /// Ends a command that [`Step::Working`] was said of, as if it had never come, and writes the response: `TPM_RC_CANCELED`.
    pub fn cancel(&mut self, response: &mut [u8]) -> usize {
        self.work.forget();
        crate::dispatch::write_error(Rc::CANCELED, response)
    }
}

/// Tells whether a command may make an RSA key.
fn may_search(command: &[u8]) -> bool {
    let code = command.get(6..10).and_then(|code| code.first_chunk()).map(|code| Cc(u32::from_be_bytes(*code)));
    matches!(code, Some(Cc::CREATE_PRIMARY | Cc::CREATE | Cc::CREATE_LOADED))
}

#[cfg(test)]
mod tests;
