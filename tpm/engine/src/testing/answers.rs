// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What costly operations gave when the tests ran natively, for an interpreter that would need minutes for each.
//!
//! Miri executes some ten thousand times slower than the processor: it can interpret all of the engine, but not the arithmetic
//! of large numbers below it. Tests are deterministic, so the same questions come again. With `EVTPM_RECORD_ANSWERS=FOLDER` each
//! answer is kept in a file that is named by its question; with `EVTPM_REPLAY_ANSWERS=FOLDER` it is taken from there. A question
//! that nobody answered is computed. With neither variable nothing is kept and nothing looked up.

use evtpm_crypto::{Crypto, CryptoError, EntropyError, HashAlg, Rng, RustCrypto};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::string::String;
use std::sync::OnceLock;
use std::vec::Vec;
use std::{env, fs, vec};

/// What an operation gave.
pub(super) type Outcome = Result<Vec<u8>, CryptoError>;

/// The refusals that are worth keeping: each comes after arithmetic.
const REFUSALS: [CryptoError; 8] = [
    CryptoError::SignatureInvalid,
    CryptoError::PointNotOnCurve,
    CryptoError::PointAtInfinity,
    CryptoError::PrivateOutOfRange,
    CryptoError::RsaInputOutOfRange,
    CryptoError::RsaKeyInconsistent,
    CryptoError::RsaFault,
    CryptoError::LatticeKey,
];

enum Answers {
    NotKept,
    Recorded(PathBuf),
    Replayed(PathBuf),
}

fn answers() -> &'static Answers {
    static ANSWERS: OnceLock<Answers> = OnceLock::new();
    ANSWERS.get_or_init(|| match (env::var_os("EVTPM_RECORD_ANSWERS"), env::var_os("EVTPM_REPLAY_ANSWERS")) {
        (Some(folder), _) => Answers::Recorded(folder.into()),
        (None, Some(folder)) => Answers::Replayed(folder.into()),
        (None, None) => Answers::NotKept,
    })
}

/// An operation with its inputs and with the random bytes that it has drawn so far, by their digest.
#[derive(Debug, Clone, Default)]
pub(super) struct Question(Vec<u8>);

/// What follows a question: a number of random bytes and another question, or the end.
enum Next {
    Draw(usize),
    End(Outcome),
}

impl Question {
    pub(super) fn new(operation: &str, inputs: &[&[u8]]) -> Self {
        inputs.iter().fold(Self::default().and(operation.as_bytes()), |question, input| question.and(input))
    }

    fn and(&self, bytes: &[u8]) -> Self {
        Self(RustCrypto::hash(HashAlg::Sha256, &[&self.0, bytes]).as_bytes().to_vec())
    }

    /// Gives the answer, and becomes the question of what a further step would give.
    pub(super) fn answer(&mut self, rng: &mut dyn Rng, compute: impl FnOnce(&mut dyn Rng) -> Outcome) -> Outcome {
        match answers() {
            Answers::NotKept => compute(rng),
            Answers::Recorded(folder) => {
                let mut heard = Listener { rng, drawn: Vec::new() };
                let outcome = compute(&mut heard);
                for bytes in heard.drawn {
                    self.keep(folder, &Next::Draw(bytes.len()));
                    *self = self.and(&bytes);
                }
                self.keep(folder, &Next::End(outcome.clone()));
                *self = self.and(b"");
                outcome
            }
            Answers::Replayed(folder) => {
                let mut drawn = Vec::new();
                while let Some(next) = self.look_up(folder) {
                    match next {
                        Next::Draw(length) => {
                            let mut bytes = vec![0; length];
                            rng.fill(&mut bytes)?;
                            *self = self.and(&bytes);
                            drawn.extend(bytes);
                        }
                        Next::End(outcome) => {
                            *self = self.and(b"");
                            return outcome;
                        }
                    }
                }
                compute(&mut Repeater { drawn: drawn.into(), rng })
            }
        }
    }

    fn file(&self, folder: &std::path::Path) -> PathBuf {
        let mut name = String::new();
        self.0.iter().take(16).for_each(|byte| write!(name, "{byte:02x}").unwrap());
        folder.join(name)
    }

    fn keep(&self, folder: &std::path::Path, next: &Next) {
        let bytes = match next {
            Next::Draw(length) => [b"draw".as_slice(), &length.to_be_bytes()].concat(),
            Next::End(Ok(answer)) => [b"gave".as_slice(), answer].concat(),
            Next::End(Err(error)) => match REFUSALS.iter().position(|refusal| refusal == error) {
                Some(position) => [b"fail".as_slice(), &position.to_be_bytes()].concat(),
                None => return,
            },
        };
        fs::write(self.file(folder), bytes).unwrap();
    }

    fn look_up(&self, folder: &std::path::Path) -> Option<Next> {
        let bytes = fs::read(self.file(folder)).ok()?;
        let (kind, rest) = bytes.split_at(4);
        let number = || usize::from_be_bytes(rest.try_into().unwrap());
        Some(match kind {
            b"draw" => Next::Draw(number()),
            b"fail" => Next::End(Err(REFUSALS[number()])),
            _ => Next::End(Ok(rest.to_vec())),
        })
    }
}

/// Notes what is drawn.
struct Listener<'a> {
    rng: &'a mut dyn Rng,
    drawn: Vec<Vec<u8>>,
}

impl Rng for Listener<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.rng.fill(out)?;
        self.drawn.push(out.to_vec());
        Ok(())
    }
}

/// Gives what was drawn already once more, then goes on.
struct Repeater<'a> {
    drawn: std::collections::VecDeque<u8>,
    rng: &'a mut dyn Rng,
}

impl Rng for Repeater<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let old = self.drawn.len().min(out.len());
        out.iter_mut().zip(self.drawn.drain(..old)).for_each(|(to, from)| *to = from);
        if old < out.len() { self.rng.fill(&mut out[old..]) } else { Ok(()) }
    }
}

/// Operations without randomness draw none.
pub(super) struct NoRandomness;

impl Rng for NoRandomness {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        unreachable!("this operation has no generator")
    }
}
