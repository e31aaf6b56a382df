// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which backend checks the signatures of quotes: whichever the operator names of those that this program is linked with.

use anyhow::Result;
use clap::ValueEnum;
use evtpm_verify::backend::{Backend, PureRust};

/// A backend by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerifyWith {
    /// The fastest that this program is linked with.
    Fastest,
    /// Our own pure-Rust arithmetic.
    Rust,
    /// AWS-LC, where this program was built with the feature `aws-lc-rs`.
    AwsLcRs,
}

impl VerifyWith {
    /// Finds the backend.
    ///
    /// # Errors
    /// When this program is not linked with it.
    pub(crate) fn backend(self) -> Result<&'static dyn Backend> {
        let aws_lc = aws_lc_backend();
        match self {
            VerifyWith::Fastest => Ok(aws_lc.unwrap_or(&PureRust)),
            VerifyWith::Rust => Ok(&PureRust),
            VerifyWith::AwsLcRs => aws_lc.ok_or_else(|| {
                anyhow::anyhow!("--verify-with aws-lc-rs: this program was built without the feature aws-lc-rs")
            }),
        }
    }
}

#[cfg(feature = "aws-lc-rs")]
fn aws_lc_backend() -> Option<&'static dyn Backend> {
    Some(&crate::aws_lc::AwsLc)
}

#[cfg(not(feature = "aws-lc-rs"))]
fn aws_lc_backend() -> Option<&'static dyn Backend> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_arithmetic_is_always_there_and_the_other_says_when_it_is_not() {
        assert_eq!(VerifyWith::Rust.backend().unwrap().name(), "rust");
        let linked = cfg!(feature = "aws-lc-rs");
        assert_eq!(VerifyWith::AwsLcRs.backend().is_ok(), linked);
        assert_eq!(VerifyWith::Fastest.backend().unwrap().name(), if linked { "aws-lc-rs" } else { "rust" });
    }
}
